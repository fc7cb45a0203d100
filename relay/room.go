package relay

import (
	"net"
	"slices"
)

// join adds conn to the clients, unless Admit refuses it or there are MaxClients already.
func (s *Server) join(conn net.Conn, o options) (*client, error) {
	var err error
	if s.Admit != nil {
		err = s.Admit(Client{Addr: addrPort(conn.RemoteAddr())})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && o.maxClients >= 0 && len(s.clients) >= o.maxClients {
		err = ErrFull
	}
	if err != nil {
		s.departed.Refused++
		return nil, err
	}
	s.lastID++
	s.reading++
	s.departed.Joined++
	c := newClient(s.lastID, conn, o)
	s.clients[c.ID] = c
	return c, nil
}

// deliver queues d for all clients except from, and then waits until none of their queues is full. from is nil for the
// server itself. All clients get all deliveries in the same order.
func (s *Server) deliver(from *client, d delivery, lost func(to Client, messages int)) {
	if len(d.data) == 0 {
		return
	}
	var full []*client
	var losses []func()
	s.mu.Lock()
	for _, c := range s.clients {
		if c == from {
			continue
		}
		isFull, n := c.push(d)
		if isFull {
			full = append(full, c)
		}
		if n > 0 && lost != nil {
			losses = append(losses, func() { lost(c.Client, n) })
		}
	}
	s.mu.Unlock()
	for _, report := range losses {
		report()
	}
	for _, c := range full {
		c.awaitRoom(from)
	}
}

// doneReading notes that a client's reading has ended and its messages are delivered. quiet is closed when that is true of
// all clients.
func (s *Server) doneReading() (quiet <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet == nil {
		s.quiet = make(chan struct{})
	}
	quiet = s.quiet
	if s.reading--; s.reading == 0 {
		close(s.quiet)
		s.quiet = nil
	}
	return quiet
}

// leave removes c. Nothing more is delivered to it, but its queue is still written until settle. If more than MaxClients
// clients are leaving, late is the oldest of them that was not late before.
func (s *Server) leave(c *client) (late *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c.ID)
	s.leaving = append(s.leaving, c)
	if n := len(s.leaving) - 1 - c.maxClients; c.maxClients >= 0 && n >= 0 {
		late = s.leaving[n] // earlier ones were late when others left
	}
	return late
}

// settle adds the final counters of c to the sum.
func (s *Server) settle(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = slices.DeleteFunc(s.leaving, func(o *client) bool { return o == c })
	s.departed.add(c.report())
}
