# The environment of the study, and the study in it: docs/container.md.
FROM python:3.11-slim
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /banditfit
COPY envs envs
COPY pyproject.toml README.md LICENSE Makefile ./
COPY config config
COPY workflow workflow
RUN make env
COPY . .
# Compiled once for the processor that the image is built on; on another it is compiled anew, within two minutes.
RUN .venv/bin/python -m banditfit compile
ENV PATH=/banditfit/.venv/bin:$PATH
CMD ["make", "reproduce"]
