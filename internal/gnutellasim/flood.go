// Package gnutellasim floods queries through many servents of [gnutella] in virtual time, and
// counts the same flood independently, as a walk through the graph.
package gnutellasim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ferrygo/ferry/directory/gnutella"
	"github.com/ferrygo/ferry/internal/calendar"
)

// A Graph has the neighbours of each node.
type Graph [][]uint32

// NewGraph draws nodes*degree/2 edges whose ends are uniform; loops and doubles are drawn again.
func NewGraph(seed uint64, nodes, degree int) Graph {
	rng := rand.New(rand.NewPCG(seed, 0))
	g := make(Graph, nodes)
	there := make(map[[2]uint32]bool)
	for len(there) < nodes*degree/2 {
		a, b := rng.Uint32N(uint32(nodes)), rng.Uint32N(uint32(nodes))
		edge := [2]uint32{min(a, b), max(a, b)}
		if a == b || there[edge] {
			continue
		}
		there[edge] = true
		g[a], g[b] = append(g[a], b), append(g[b], a)
	}
	return g
}

// A Cost says what one query took.
type Cost struct {
	Queries    int // copies of the query that were delivered
	Duplicates int // of these, to nodes that had it already
	Reached    int // nodes that got it, without the one that asks
	Hits       int // QueryHits that came back
}

// String returns the numbers in a line.
func (c Cost) String() string {
	return fmt.Sprintf("%d copies, %d duplicates, %d nodes reached, %d hits", c.Queries, c.Duplicates, c.Reached, c.Hits)
}

// Count walks the graph breadth first, which is a flood in which every link is as fast as every other. holds says
// which nodes have the file.
func (g Graph) Count(from uint32, ttl int, holds func(node uint32) bool) Cost {
	var c Cost
	parent := make([]int64, len(g))
	for i := range parent {
		parent[i] = -1
	}
	parent[from] = int64(from)
	frontier := []uint32{from}
	for ; ttl > 0 && len(frontier) > 0; ttl-- {
		var next []uint32
		for _, a := range frontier {
			for _, b := range g[a] {
				if int64(b) == parent[a] && a != from {
					continue // not back to where it came from
				}
				c.Queries++
				if parent[b] >= 0 {
					c.Duplicates++
					continue
				}
				parent[b] = int64(a)
				c.Reached++
				if holds(b) {
					c.Hits++
				}
				next = append(next, b)
			}
		}
		frontier = next
	}
	return c
}

// Flood sends one query through servents that are linked as the graph says, each link taking the same time.
func (g Graph) Flood(seed uint64, from uint32, holds func(node uint32) bool) Cost {
	rng := rand.New(rand.NewPCG(seed, 1))
	nodes := make([]*gnutella.Machine, len(g))
	var queue calendar.Queue[*gnutella.Message]
	now := time.Duration(0)
	for i := range g {
		m := &gnutella.Machine{Random: rng, Servent: gnutella.GUID{byte(i), byte(i >> 8), byte(i >> 16)}, Addr: addr(i)}
		if holds(uint32(i)) {
			m.Match = func(string) []gnutella.Result { return []gnutella.Result{{Name: "file"}} }
		}
		for _, b := range g[i] {
			m.Connected(gnutella.Link(b + 1))
		}
		nodes[i] = m
	}
	send := func(a uint32) gnutella.Out {
		return func(to gnutella.Link, m *gnutella.Message) {
			msg := *m
			queue.Push(now+10*time.Millisecond, uint32(to)-1, a, &msg)
		}
	}
	var c Cost
	nodes[from].Ask("file", func(*gnutella.Message) { c.Hits++ }, send(from))
	for {
		e, ok := queue.Pop()
		if !ok {
			break
		}
		now = e.At
		m := nodes[e.To]
		if e.Value.Type == gnutella.Query {
			c.Queries++
			before := m.Duplicates
			m.Handle(gnutella.Link(e.From+1), e.Value, send(e.To))
			c.Duplicates += m.Duplicates - before
			continue
		}
		m.Handle(gnutella.Link(e.From+1), e.Value, send(e.To))
	}
	c.Reached = c.Queries - c.Duplicates
	return c
}
