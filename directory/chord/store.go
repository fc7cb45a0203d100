package chord

import (
	"net/netip"
	"time"
)

// A store keeps the publications that this node is a successor of.
type store struct {
	expiry                          time.Duration
	maxKeys, maxHolders, maxPerAddr int

	keys    map[ID][]holding
	perAddr map[netip.Addr]int
	count   int
	swept   time.Duration
}

type holding struct {
	addr    netip.AddrPort
	expires time.Duration
}

func newStore(expiry time.Duration, maxKeys, maxHolders, maxPerAddr int) *store {
	return &store{
		expiry: expiry, maxKeys: maxKeys, maxHolders: maxHolders, maxPerAddr: maxPerAddr,
		keys: make(map[ID][]holding), perAddr: make(map[netip.Addr]int),
	}
}

// put notes or renews a holder. It reports whether there was room.
func (s *store) put(now time.Duration, key ID, addr netip.AddrPort) bool {
	s.sweep(now)
	list := s.keys[key]
	for i := range list {
		if list[i].addr == addr {
			list[i].expires = now + s.expiry
			return true
		}
	}
	if len(list) >= s.maxHolders || len(list) == 0 && len(s.keys) >= s.maxKeys || s.perAddr[addr.Addr()] >= s.maxPerAddr {
		return false
	}
	s.keys[key] = append(list, holding{addr, now + s.expiry})
	s.perAddr[addr.Addr()]++
	s.count++
	return true
}

// remove forgets a holder.
func (s *store) remove(key ID, addr netip.AddrPort) {
	s.filter(key, func(h holding) bool { return h.addr != addr })
}

// get appends at most n holders of key, the newest first.
func (s *store) get(now time.Duration, list []netip.AddrPort, key ID, n int) []netip.AddrPort {
	held := s.keys[key]
	for i := len(held) - 1; i >= 0 && len(list) < n; i-- {
		if held[i].expires > now {
			list = append(list, held[i].addr)
		}
	}
	return list
}

// sweep forgets what has expired, a few times in the time that something lives.
func (s *store) sweep(now time.Duration) {
	if now-s.swept < s.expiry/4 {
		return
	}
	s.swept = now
	for key := range s.keys {
		s.filter(key, func(h holding) bool { return h.expires > now })
	}
}

// filter keeps the holders of key that keep accepts.
func (s *store) filter(key ID, keep func(holding) bool) {
	list := s.keys[key]
	kept := list[:0]
	for _, h := range list {
		if keep(h) {
			kept = append(kept, h)
			continue
		}
		s.count--
		if s.perAddr[h.addr.Addr()]--; s.perAddr[h.addr.Addr()] == 0 {
			delete(s.perAddr, h.addr.Addr())
		}
	}
	if len(kept) == 0 {
		delete(s.keys, key)
		return
	}
	s.keys[key] = kept
}
