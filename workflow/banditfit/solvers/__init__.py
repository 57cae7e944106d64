"""The engines that the methods share."""
