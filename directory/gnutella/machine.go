package gnutella

import (
	"math/rand/v2"
	"net/netip"
	"slices"
)

// A Link is a connection to a neighbour: a number that whoever drives a [Machine] chooses. 0 is the
// machine itself.
type Link uint32

// Out takes a message that a machine sends over a link. The message is the machine's again when
// the call returns.
type Out func(to Link, m *Message)

// The bounds of protocol 0.4 and of this package.
const (
	DefaultTTL = 7 // of messages that a node begins; those that arrive with more get this
	maxSeen    = 20_000
	maxHosts   = 1000
	maxRoutes  = 5000
)

// A Machine is one servent without sockets and clock: it answers, forwards and routes back what its
// links bring. Times are durations since a moment that the caller chooses. It is not safe for
// concurrent use.
type Machine struct {
	// Servent is this node's own GUID, and Addr its HTTP server, which a QueryHit names.
	Servent GUID
	Addr    netip.AddrPort
	// Greeting is the address at which this node takes connections, which a Pong names.
	Greeting netip.AddrPort
	// Match returns the shared files that a query's text finds. Nil finds none.
	Match func(text string) []Result
	// Files and Kilobytes are what a Pong says of this node.
	Files, Kilobytes uint32
	// Pushed is called for a Push that asks this node to connect to addr.
	Pushed func(index uint32, addr netip.AddrPort)
	// Random draws the GUIDs of messages.
	Random rand.Source

	links    []Link
	pings    table[GUID, Link]
	queries  table[GUID, Link]
	servents table[GUID, Link]             // where a QueryHit of a servent came from
	own      map[GUID]func(hit *Message)   // queries of this node
	hosts    table[netip.AddrPort, uint32] // heard of in Pongs
	Counts
}

// Counts says what a machine has done.
type Counts struct {
	Received, Forwarded, Duplicates, Unroutable int
}

// Connected adds a link.
func (m *Machine) Connected(l Link) { m.links = append(m.links, l) }

// Disconnected removes a link. Routes through it lead nowhere from then on.
func (m *Machine) Disconnected(l Link) {
	for i, k := range m.links {
		if k == l {
			m.links = append(m.links[:i], m.links[i+1:]...)
			return
		}
	}
}

// Links is the number of links.
func (m *Machine) Links() int { return len(m.links) }

func (m *Machine) linked(l Link) bool {
	return slices.Contains(m.links, l)
}

// Host returns an address that a Pong named, a different one each time, and false if there is none.
func (m *Machine) Host() (netip.AddrPort, bool) { return m.hosts.pop() }

// Handle takes a message that arrived over a link.
func (m *Machine) Handle(from Link, msg *Message, out Out) {
	m.Received++
	msg.TTL = min(msg.TTL, DefaultTTL) // "TTL 7 [...] incoming above 7 becomes 7"
	switch msg.Type {
	case Ping:
		if m.first(&m.pings, from, msg) {
			m.answer(from, msg, &Message{Type: Pong, Addr: m.Greeting, Files: m.Files, Kilobytes: m.Kilobytes}, out)
			m.flood(from, msg, out)
		}
	case Query:
		if m.first(&m.queries, from, msg) {
			m.match(from, msg, out)
			m.flood(from, msg, out)
		}
	case Pong:
		m.hosts.put(msg.Addr, msg.Files, maxHosts)
		m.back(&m.pings, msg, out)
	case QueryHit:
		m.servents.put(msg.Servent, from, maxRoutes)
		if hit := m.own[msg.ID]; hit != nil {
			hit(msg)
			return
		}
		m.back(&m.queries, msg, out)
	case Push:
		m.push(msg, out)
	}
}

// first notes where a message came from; false if it came before.
func (m *Machine) first(t *table[GUID, Link], from Link, msg *Message) bool {
	if _, seen := t.get(msg.ID); seen {
		m.Duplicates++
		return false
	}
	t.put(msg.ID, from, maxSeen)
	return true
}

// answer sends an answer back over the link that the request came from. It lives for as many hops as the
// request has come, and two more.
func (m *Machine) answer(to Link, request, a *Message, out Out) {
	if !a.Addr.IsValid() {
		return
	}
	a.ID, a.TTL, a.Hops = request.ID, request.Hops+2, 0
	out(to, a)
}

// match answers a query. An empty text finds nothing.
func (m *Machine) match(from Link, msg *Message, out Out) {
	if m.Match == nil || msg.Text == "" {
		return
	}
	if found := m.Match(msg.Text); len(found) > 0 {
		m.answer(from, msg, &Message{Type: QueryHit, Addr: m.Addr, Results: found[:min(len(found), 255)], Servent: m.Servent}, out)
	}
}

// flood forwards a message to every link but the one it came from.
func (m *Machine) flood(from Link, msg *Message, out Out) {
	if msg.TTL <= 1 {
		return
	}
	msg.TTL--
	msg.Hops++
	for _, l := range m.links {
		if l != from {
			m.Forwarded++
			out(l, msg)
		}
	}
}

// back routes an answer to where its request came from.
func (m *Machine) back(t *table[GUID, Link], msg *Message, out Out) {
	to, known := t.get(msg.ID)
	m.forward(to, known, msg, out)
}

func (m *Machine) forward(to Link, known bool, msg *Message, out Out) {
	switch {
	case known && to == 0: // the answer to a Ping of this node
	case !known || !m.linked(to) || msg.TTL <= 1:
		m.Unroutable++
	default:
		msg.TTL--
		msg.Hops++
		m.Forwarded++
		out(to, msg)
	}
}

// push routes a Push to the servent that it names.
func (m *Machine) push(msg *Message, out Out) {
	if msg.Servent == m.Servent {
		if m.Pushed != nil {
			m.Pushed(msg.Index, msg.Addr)
		}
		return
	}
	to, known := m.servents.get(msg.Servent)
	m.forward(to, known, msg, out)
}

func (m *Machine) guid() (g GUID) {
	for i := 0; i < len(g); i += 8 {
		v := m.Random.Uint64()
		for j := range 8 {
			g[i+j] = byte(v >> (8 * j))
		}
	}
	return g
}

// Ask floods a query for text, and calls hit with each QueryHit until the query is given to Forget.
func (m *Machine) Ask(text string, hit func(*Message), out Out) GUID {
	msg := Message{ID: m.guid(), Type: Query, TTL: DefaultTTL, Text: text}
	if m.own == nil {
		m.own = make(map[GUID]func(*Message))
	}
	m.own[msg.ID] = hit
	m.queries.put(msg.ID, 0, maxSeen)
	for _, l := range m.links {
		out(l, &msg)
	}
	return msg.ID
}

// Forget ends a query.
func (m *Machine) Forget(id GUID) { delete(m.own, id) }

// Discover floods a Ping; the Pongs name hosts for [Machine.Host].
func (m *Machine) Discover(ttl uint8, out Out) {
	msg := Message{ID: m.guid(), Type: Ping, TTL: ttl}
	m.pings.put(msg.ID, 0, maxSeen)
	for _, l := range m.links {
		out(l, &msg)
	}
}

// AskPush asks the servent of a QueryHit to connect to addr and offer the file there.
func (m *Machine) AskPush(hit *Message, index uint32, addr netip.AddrPort, out Out) bool {
	to, known := m.servents.get(hit.Servent)
	if !known || !m.linked(to) {
		return false
	}
	out(to, &Message{ID: m.guid(), Type: Push, TTL: DefaultTTL, Servent: hit.Servent, Index: index, Addr: addr})
	return true
}

// A table remembers the latest n entries that were put.
type table[K comparable, V any] struct {
	entries map[K]V
	order   []K // a ring once it is full
	next    int
}

func (t *table[K, V]) get(k K) (V, bool) {
	v, ok := t.entries[k]
	return v, ok
}

// put notes an entry, in place of the oldest if there are n.
func (t *table[K, V]) put(k K, v V, n int) {
	if t.entries == nil {
		t.entries = make(map[K]V)
	}
	if _, there := t.entries[k]; there {
		t.entries[k] = v
		return
	}
	if len(t.order) < n {
		t.order = append(t.order, k)
	} else {
		delete(t.entries, t.order[t.next])
		t.order[t.next] = k
		t.next = (t.next + 1) % n
	}
	t.entries[k] = v
}

// pop removes the entry that was put last.
func (t *table[K, V]) pop() (k K, ok bool) {
	for len(t.order) > 0 {
		last := len(t.order) - 1
		k = t.order[last]
		t.order = t.order[:last]
		t.next = 0
		if _, there := t.entries[k]; there {
			delete(t.entries, k)
			return k, true
		}
	}
	return k, false
}
