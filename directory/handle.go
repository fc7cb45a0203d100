package directory

import (
	"bytes"
	"net/netip"
	"time"
)

// handle does what a request asks for, and returns the answer to a look-up, or the code
// with which the request is refused.
func (d *dispatcher) handle(now time.Time, from netip.AddrPort, typ Type, body []byte, insist bool) (answer []byte, code Code, ok bool) {
	switch typ {
	case Lookup:
		return d.lookup(now, from, body)
	case View:
		d.stats.Views++
		return nil, 0, true
	}
	peer, files, ok := d.subject(from, body)
	switch {
	case !ok:
		return nil, CodeMalformed, false
	case !d.maySpeakFor(from, peer):
		return nil, CodeForbidden, false
	case typ == Exit:
		d.exit(peer)
		return nil, 0, true
	}
	d.stats.Updates++
	if d.registry.touch(now, peer, files) {
		return nil, 0, true
	}
	if code, ok := d.registry.update(now, hostKey(from.Addr()), peer, files, insist); !ok {
		return nil, code, false
	}
	d.stats.Evicted += d.registry.evicted
	d.registry.evicted = 0
	if d.registry.peers[keyOf(peer)] == nil {
		return nil, CodeFull, false
	}
	if d.trace.Updated != nil {
		d.trace.Updated(Event{Addr: peer, Files: d.registry.files(peer)})
	}
	return nil, 0, true
}

// maySpeakFor reports whether an address may register or remove a peer.
func (d *dispatcher) maySpeakFor(from, peer netip.AddrPort) bool {
	return d.anyAddress || peer.Addr() == from.Addr().WithZone("")
}

// subject takes the address of the peer that an update or exit is about from its body.
// An unspecified IP stands for the one that the request came from.
func (d *dispatcher) subject(from netip.AddrPort, body []byte) (peer netip.AddrPort, files []byte, ok bool) {
	ip, rest := nextWord(body)
	word, files := nextWord(rest)
	port := 0
	for _, c := range word {
		if c < '0' || c > '9' || port > 65535 {
			return peer, nil, false
		}
		port = port*10 + int(c-'0')
	}
	if port < 1 || port > 65535 || word[0] == '0' {
		return peer, nil, false
	}
	own := from.Addr().WithZone("")
	// Nearly always it is the address that the request came from: comparing spares
	// the parsing.
	d.scratch = own.AppendTo(d.scratch[:0])
	if bytes.Equal(d.scratch, ip) {
		return netip.AddrPortFrom(own, uint16(port)), files, true
	}
	addr, err := netip.ParseAddr(string(ip))
	addr = addr.Unmap()
	switch {
	case err != nil, addr.Zone() != "", addr.IsMulticast():
		return peer, nil, false
	case addr.IsUnspecified():
		addr = own
	}
	return netip.AddrPortFrom(addr, uint16(port)), files, true
}

// exit forgets a peer. It is not an error if there is none.
func (d *dispatcher) exit(peer netip.AddrPort) {
	d.stats.Exits++
	if d.registry.remove(peer) && d.trace.Removed != nil {
		d.trace.Removed(Event{Addr: peer})
	}
}
