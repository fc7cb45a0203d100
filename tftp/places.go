package tftp

import (
	"cmp"
	"container/list"
	"math"
	"net/netip"
	"slices"
	"time"
)

// places counts a server's transfers against its bounds, and decides who makes room for
// another one. It reads no socket and no clock.
//
// A forged request also takes a place. So a client that has not answered yields its place
// after a second. If an address has reached the bound per address, one of its transfers yields.
type places struct {
	max, maxPerAddress int
	used               int
	hosts              map[netip.Addr]*hostPlaces
	halfOpen           list.List // of *session, the oldest first
	slow               []*session
	looked             time.Time // when slow was filled
}

// hostPlaces are the places of one address.
type hostPlaces struct {
	used     int
	halfOpen list.List // of *session, the oldest first
}

const (
	// yieldAfter is how long a client may leave a server without an answer before another
	// client may take its place.
	yieldAfter = time.Second
	// A transfer that moved less than slowRate bytes a second for slowAfter also yields. One
	// block of 512 bytes in each round trip over a satellite is four times as much.
	slowRate  = 256
	slowAfter = 10 * time.Second
	// slowTick is how often slow transfers are looked for.
	slowTick = time.Second
)

func newPlaces(max, maxPerAddress int) places {
	return places{max: max, maxPerAddress: maxPerAddress, hosts: make(map[netip.Addr]*hostPlaces)}
}

// take gives a session a place. room has reported that there is one.
func (p *places) take(s *session) {
	h := p.hosts[s.client.Addr()]
	if h == nil {
		h = new(hostPlaces)
		p.hosts[s.client.Addr()] = h
	}
	p.used++
	h.used++
	s.counted, s.marked = true, s.began
	s.inAll, s.inHost = p.halfOpen.PushBack(s), h.halfOpen.PushBack(s)
}

// leave takes the place back, once.
func (p *places) leave(s *session) {
	if !s.counted {
		return
	}
	s.counted = false
	p.used--
	h := p.hosts[s.client.Addr()]
	p.settle(h, s)
	if h.used--; h.used == 0 {
		delete(p.hosts, s.client.Addr())
	}
}

// settle takes a session off the lists of half-open ones.
func (p *places) settle(h *hostPlaces, s *session) {
	if s.inAll != nil {
		p.halfOpen.Remove(s.inAll)
		h.halfOpen.Remove(s.inHost)
		s.inAll, s.inHost = nil, nil
	}
}

// room reports whether there is a place for a client. If there is none, it returns the
// session that yields its place, if any.
func (p *places) room(now time.Time, client netip.Addr, sessions map[netip.AddrPort]*session) (ok bool, yields *session) {
	h := p.hosts[client]
	switch {
	case h != nil && h.used >= p.maxPerAddress:
		return false, p.oldest(now, &h.halfOpen)
	case p.used < p.max:
		return true, nil
	}
	if s := p.oldest(now, &p.halfOpen); s != nil {
		return false, s
	}
	return false, p.slowest(now, sessions)
}

// oldest names the half-open session that yields first, nil if all are too young. A session
// whose handler is still at work keeps its place, because the handler goes on.
func (p *places) oldest(now time.Time, halfOpen *list.List) *session {
	for e, steps := halfOpen.Front(), 0; e != nil && steps < 64; steps++ {
		s := e.Value.(*session)
		e = e.Next()
		switch {
		case s.verified():
			p.settle(p.hosts[s.client.Addr()], s)
		case now.Sub(s.began) < yieldAfter:
			return nil
		case s.opened.Load():
			return s
		}
	}
	return nil
}

// slowest names the slowest transfer, nil if none is slow.
func (p *places) slowest(now time.Time, sessions map[netip.AddrPort]*session) *session {
	if now.Sub(p.looked) >= slowTick {
		p.looked = now
		p.findSlow(now, sessions)
	}
	for len(p.slow) > 0 {
		s := p.slow[0]
		p.slow = p.slow[1:]
		if s.counted {
			return s
		}
	}
	return nil
}

// findSlow lists the slow transfers, the slowest first.
func (p *places) findSlow(now time.Time, sessions map[netip.AddrPort]*session) {
	rates := make(map[*session]float64)
	p.slow = nil
	for _, s := range sessions {
		d := now.Sub(s.marked)
		if !s.counted || !s.verified() || d < slowAfter {
			continue
		}
		size := s.progress.Load()
		if rate := float64(size-s.markedSize) / d.Seconds(); rate < slowRate {
			rates[s] = rate
			p.slow = append(p.slow, s)
		} else {
			s.marked, s.markedSize = now, size
		}
	}
	slices.SortFunc(p.slow, func(a, b *session) int { return cmp.Compare(rates[a], rates[b]) })
}

// bound is n, or def where n is zero; where n is negative there is none.
func bound(n, def int) int {
	switch {
	case n < 0:
		return math.MaxInt
	case n == 0:
		return def
	}
	return n
}
