"""The compiled kernels of matching: a network simplex for flows, and deferred acceptance. Integers alone.

Their plain twins are the linear program of `optimum` and `stable.plainly`; tests hold them equal.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

_LOWER, _TREE, _UPPER = 1, 0, -1
_UP, _DOWN = 1, -1
_SMALLEST_BLOCK = 10


@njit(cache=True, nogil=True)
def largest_flow(
    host: Integers, guest: Integers, worth: Integers, offered: Integers, sought: Integers, number: int
) -> tuple[Bools, Integers]:
    """The pairs of the largest total worth, by the network simplex method (Ahuja, Magnanti & Orlin 1993, ch. 11).

    Arcs go from a source to the hosts (`offered` places), from hosts to guests (one for each pair), from guests to a
    sink (`sought` places), and back from the sink to the source (at most `number`). The first tree has no flow; leaving
    arcs keep the tree strongly feasible (Cunningham 1976), so that it does not cycle; entering arcs are the best of a
    block. `host` and `guest` (pairs,) are positions in `offered` and `sought`. Gives the chosen pairs, and for
    each pair its reduced cost: forced in, the total is less by that at least (below zero: forced out).
    """
    hosts, guests, pairs = len(offered), len(sought), len(host)
    source, sink = hosts + guests, hosts + guests + 1
    root, nodes = hosts + guests + 2, hosts + guests + 3
    arcs = pairs + hosts + guests + 1
    tail = np.empty(arcs + root, np.int64)
    head = np.empty(arcs + root, np.int64)
    room = np.empty(arcs + root, np.int64)
    cost = np.zeros(arcs + root, np.int64)
    for each in range(pairs):
        tail[each], head[each], room[each], cost[each] = host[each], hosts + guest[each], 1, -worth[each]
    for each in range(hosts):
        tail[pairs + each], head[pairs + each], room[pairs + each] = source, each, offered[each]
    for each in range(guests):
        at = pairs + hosts + each
        tail[at], head[at], room[at] = hosts + each, sink, sought[each]
    tail[arcs - 1], head[arcs - 1], room[arcs - 1] = sink, source, number
    flow = np.zeros(arcs + root, np.int64)
    state = np.full(arcs + root, _LOWER, np.int64)
    price = np.zeros(nodes, np.int64)
    parent = np.full(nodes, root, np.int64)
    above = np.empty(nodes, np.int64)  # the arc between a node and its parent
    way = np.full(nodes, _UP, np.int64)
    depth = np.ones(nodes, np.int64)
    child = np.full(nodes, -1, np.int64)
    following = np.full(nodes, -1, np.int64)
    before = np.full(nodes, -1, np.int64)
    stack = np.empty(nodes, np.int64)
    parent[root], above[root], depth[root] = -1, -1, 0
    for each in range(root):
        arc = arcs + each
        tail[arc], head[arc], room[arc], state[arc] = each, root, np.int64(1) << 60, _TREE
        above[each] = arc
        following[each] = child[root]
        if child[root] >= 0:
            before[child[root]] = each
        child[root] = each
    block = max(int(np.sqrt(arcs) / 6), _SMALLEST_BLOCK)  # scanning is most of the work
    at = 0
    while True:
        entering, least, left = -1, np.int64(0), block
        for _ in range(arcs):
            reduced = state[at] * (cost[at] + price[tail[at]] - price[head[at]])
            if reduced < least:
                least, entering = reduced, at
            at += 1
            if at == arcs:
                at = 0
            left -= 1
            if left == 0:
                if entering >= 0:
                    break
                left = block
        if entering < 0:
            break
        if state[entering] == _LOWER:
            first, second = tail[entering], head[entering]
        else:
            first, second = head[entering], tail[entering]
        one, other = first, second
        while one != other:
            if depth[one] >= depth[other]:
                one = parent[one]
            else:
                other = parent[other]
        join = one
        most, out, side = room[entering], np.int64(-1), 0
        node = first
        while node != join:
            arc = above[node]
            may = flow[arc] if way[node] == _UP else room[arc] - flow[arc]
            if may < most:
                most, out, side = may, node, 1
            node = parent[node]
        node = second
        while node != join:
            arc = above[node]
            may = room[arc] - flow[arc] if way[node] == _UP else flow[arc]
            if may <= most:
                most, out, side = may, node, 2
            node = parent[node]
        if most > 0:
            by = state[entering] * most
            flow[entering] += by
            node = tail[entering]
            while node != join:
                flow[above[node]] -= way[node] * by
                node = parent[node]
            node = head[entering]
            while node != join:
                flow[above[node]] += way[node] * by
                node = parent[node]
        if side == 0:
            state[entering] = -state[entering]
            continue
        leaving = above[out]
        state[leaving] = _LOWER if flow[leaving] == 0 else _UPPER
        state[entering] = _TREE
        node, new_parent = (first, second) if side == 1 else (second, first)
        moved = node
        arc, direction = entering, _UP if node == tail[entering] else _DOWN
        while True:  # the path from the entering arc to the leaving one turns round
            old_parent, old_arc, old_way = parent[node], above[node], way[node]
            if before[node] >= 0:
                following[before[node]] = following[node]
            else:
                child[old_parent] = following[node]
            if following[node] >= 0:
                before[following[node]] = before[node]
            parent[node], above[node], way[node] = new_parent, arc, direction
            before[node], following[node] = -1, child[new_parent]
            if child[new_parent] >= 0:
                before[child[new_parent]] = node
            child[new_parent] = node
            if node == out:
                break
            new_parent, arc, direction, node = node, old_arc, -old_way, old_parent
        by = price[parent[moved]] - price[moved] - way[moved] * cost[entering]
        size = 1
        stack[0] = moved
        while size > 0:
            size -= 1
            node = stack[size]
            price[node] += by
            depth[node] = depth[parent[node]] + 1
            node = child[node]
            while node >= 0:
                stack[size] = node
                size += 1
                node = following[node]
    return flow[:pairs] > 0, price[host] - price[hosts + guest] - worth


@njit(cache=True, nogil=True)
def deferred(
    asks: Integers,
    start: Integers,
    asking: Integers,
    asked: Integers,
    rank: Integers,
    places: Integers,
    answering: Integers,
) -> Bools:
    """Deferred acceptance (Gale & Shapley 1962; Roth 1984 for many places on both sides).

    `asks` lists the pairs of each asking school, best first, from `start[s]` to `start[s + 1]`; `asking` and `asked`
    (pairs,) are the schools that ask for a pair and answer it, `rank` (pairs,) how the answering one ranks it, smaller
    is better; `places` and `answering` are the places of both sides. Gives the pairs that are held at the end.
    """
    held = np.zeros(len(asked), np.bool_)
    taken = np.zeros(len(answering), np.int64)
    begin = np.zeros(len(answering) + 1, np.int64)
    for each in range(len(answering)):
        begin[each + 1] = begin[each] + answering[each]
    heap = np.empty(begin[-1], np.int64)  # of each answering school the pairs that it holds, the worst on top
    at = start[:-1].copy()
    free = places.copy()
    stack = np.empty(len(places) + len(asked), np.int64)  # a school comes back on it for each pair it loses
    size = len(places)
    for each in range(size):
        stack[each] = size - 1 - each
    while size > 0:
        who = stack[size - 1]
        if free[who] <= 0 or at[who] == start[who + 1]:
            size -= 1
            continue
        pair = asks[at[who]]
        at[who] += 1
        school = asked[pair]
        if answering[school] <= 0:
            continue
        base, count = begin[school], taken[school]
        if count == answering[school]:
            worst = heap[base]
            if rank[pair] >= rank[worst]:
                continue
            held[worst] = False
            spot = 0
            while True:  # the new one goes down from the top
                down = 2 * spot + 1
                if down >= count:
                    break
                if down + 1 < count and rank[heap[base + down + 1]] > rank[heap[base + down]]:
                    down += 1
                if rank[heap[base + down]] <= rank[pair]:
                    break
                heap[base + spot] = heap[base + down]
                spot = down
            heap[base + spot] = pair
            held[pair] = True
            free[who] -= 1
            other = asking[worst]
            free[other] += 1
            stack[size] = other
            size += 1
        else:
            spot = count
            while spot > 0 and rank[heap[base + (spot - 1) // 2]] < rank[pair]:
                heap[base + spot] = heap[base + (spot - 1) // 2]
                spot = (spot - 1) // 2
            heap[base + spot] = pair
            taken[school] += 1
            held[pair] = True
            free[who] -= 1
    return held
