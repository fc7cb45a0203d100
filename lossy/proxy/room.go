package proxy

import (
	"errors"
	"net/netip"
	"syscall"
	"time"
)

const (
	// minUnproven is the age at which a client makes room for another that has not
	// sent anything since it was first answered.
	minUnproven = time.Second

	// minCrowded is how long a client must be idle to make room for one of another host,
	// when its own host has more than half of the places.
	minCrowded = time.Second

	// minIdle is how long any other client must be idle to make room.
	minIdle = 30 * time.Second

	// searchPause is the time between two searches for a client that makes room, when
	// the first finds none.
	searchPause = 10 * time.Millisecond
)

// admit opens a new client, in the place of another one if need be. The lock is
// held.
func (s *session) admit(addr netip.AddrPort) (*client, error) {
	if limit := s.maxClients(); limit > 0 && len(s.clients) >= limit && !s.makeRoom(addr) {
		return nil, ErrTooMany
	}
	c, err := s.newClient(addr)
	if scarce(err) && s.makeRoom(addr) {
		c, err = s.newClient(addr)
	}
	if err != nil {
		return nil, err
	}
	s.clients[addr] = c
	return c, nil
}

// scarce reports whether an error says that the process or the system has used up
// something that another client may give back.
func scarce(err error) bool {
	for _, errno := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// makeRoom evicts the client that doc.go names, and reports whether there was one.
// The lock is held.
func (s *session) makeRoom(newcomer netip.AddrPort) bool {
	now := time.Now()
	if now.Before(s.noRoom) {
		return false
	}
	hosts := make(map[netip.Addr]int)
	for addr := range s.clients {
		hosts[addr.Addr()]++
	}
	var best *client
	bestRank := 0
	for addr, c := range s.clients {
		crowded := addr.Addr() != newcomer.Addr() && hosts[addr.Addr()] > len(s.clients)/2
		rank := c.rank(now, crowded)
		if rank > bestRank || rank > 0 && rank == bestRank && c.last.Load() < best.last.Load() {
			best, bestRank = c, rank
		}
	}
	if best == nil {
		s.noRoom = now.Add(searchPause)
		return false
	}
	s.evicted++
	best.remove()
	return true
}

// rank says how readily a client makes room: 3 for the first of doc.go's list, 0 for
// not at all.
func (c *client) rank(now time.Time, crowded bool) int {
	idle := now.Sub(time.Unix(0, c.last.Load()))
	switch {
	case !c.proven.Load() && now.Sub(c.began) >= minUnproven:
		return 3
	case crowded && idle >= minCrowded:
		return 2
	case idle >= minIdle:
		return 1
	}
	return 0
}
