"""A heap of nodes ordered by their keys, in arrays, compiled."""

from ..numerics import _compiled


@_compiled
def _push(heap, keys, size, node):
    """Adds a node to a heap of nodes ordered by their keys."""
    at = size
    heap[at] = node
    while at > 0 and keys[heap[(at - 1) // 2]] > keys[heap[at]]:
        above = (at - 1) // 2
        heap[at], heap[above] = heap[above], heap[at]
        at = above
    return size + 1


@_compiled
def _pop(heap, keys, size):
    """Takes the node of least key off a heap."""
    node = heap[0]
    size -= 1
    heap[0] = heap[size]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and keys[heap[child + 1]] < keys[heap[child]]:
            child += 1
        if keys[heap[at]] <= keys[heap[child]]:
            break
        heap[at], heap[child] = heap[child], heap[at]
        at = child
    return node, size
