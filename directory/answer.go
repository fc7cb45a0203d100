package directory

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The bodies of answers, without the tokens. KEY is the first field of the request, or
// a hyphen where there is none.
//
//	FOUND    KEY { IP PORT } ...
//	LISTING  KEY COUNT { IP PORT TIME FILES { NAME } ... } ...
//	FAILURE  CODE TYPE [KEY]                                   of a look-up: no peer has it

// lookup answers a look-up.
func (d *dispatcher) lookup(now time.Time, from netip.AddrPort, body []byte) (answer []byte, code Code, ok bool) {
	d.stats.Lookups++
	word, _ := nextWord(body)
	name, code, ok := parseName(word)
	if !ok {
		return nil, code, false
	}
	d.found = d.registry.lookup(now, name, d.limits.sources, d.found[:0])
	if d.trace.LookedUp != nil {
		d.trace.LookedUp(Event{Addr: from, Request: Lookup, Name: name, Sources: len(d.found)})
	}
	if len(d.found) == 0 {
		return nil, CodeNotFound, false
	}
	answer = append(AppendField(nil, name), ' ')
	for _, a := range d.found {
		if answer = appendAddr(answer, a); len(answer) > d.limits.answer {
			break
		}
	}
	return answer, 0, true
}

// appendAddr appends an address as two fields.
func appendAddr(b []byte, a netip.AddrPort) []byte {
	b = append(a.Addr().AppendTo(b), ' ')
	return append(strconv.AppendUint(b, uint64(a.Port()), 10), ' ')
}

// appendTime appends seconds since 1970 with six decimals, as the time stamps in the
// document's view are.
func appendTime(b []byte, t time.Time) []byte {
	us := t.UnixMicro()
	b = strconv.AppendInt(b, us/1e6, 10)
	return fmt.Appendf(b, ".%06d", us%1e6)
}

func parseTime(s string) (time.Time, bool) {
	whole, part, _ := strings.Cut(s, ".")
	sec, err1 := strconv.ParseInt(whole, 10, 64)
	us, err2 := strconv.ParseInt(part, 10, 64)
	ok := err1 == nil && err2 == nil && len(part) == 6 && sec >= 0 && us >= 0
	return time.Unix(sec, us*1000), ok
}

func failureBody(code Code, typ Type, key []byte) []byte {
	b := append(strconv.AppendInt(nil, int64(code), 10), ' ', '0'+byte(typ), ' ')
	if len(key) > 0 {
		b = append(append(b, key...), ' ')
	}
	return b
}

// parseFound decodes the answer to a look-up, without the key.
func parseFound(fields []string) ([]netip.AddrPort, error) {
	found := make([]netip.AddrPort, 0, len(fields)/2)
	for ; len(fields) > 0; fields = fields[2:] {
		a, ok := parseAddr(fields)
		if !ok {
			return nil, ErrMalformed
		}
		found = append(found, a)
	}
	return found, nil
}

// parseAddr decodes the first two fields.
func parseAddr(fields []string) (netip.AddrPort, bool) {
	if len(fields) < 2 {
		return netip.AddrPort{}, false
	}
	addr, err1 := netip.ParseAddr(fields[0])
	port, err2 := strconv.ParseUint(fields[1], 10, 16)
	if err1 != nil || err2 != nil || port == 0 || addr.IsUnspecified() || addr.IsMulticast() {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), true
}

// parseListing decodes the answer to a view, without the key.
func parseListing(fields []string) (l Contents, err error) {
	if len(fields) == 0 {
		return l, ErrMalformed
	}
	if l.Total, err = strconv.Atoi(fields[0]); err != nil || l.Total < 0 {
		return l, ErrMalformed
	}
	fields = fields[1:]
	for len(fields) > 0 {
		a, ok := parseAddr(fields)
		if !ok || len(fields) < 4 {
			return l, ErrMalformed
		}
		heard, ok := parseTime(fields[2])
		n, err := strconv.Atoi(fields[3])
		if fields = fields[4:]; !ok || err != nil || n < 0 || n > len(fields) {
			return l, ErrMalformed
		}
		l.Peers = append(l.Peers, Registration{Addr: a, Files: fields[:n:n], Heard: heard})
		fields = fields[n:]
	}
	return l, nil
}

// parseFailure decodes the refusal of a request.
func parseFailure(fields []string, typ Type, key string) error {
	if len(fields) < 2 {
		return ErrMalformed
	}
	code, err := strconv.Atoi(fields[0])
	if err != nil || code < 100 || code > 999 {
		return ErrMalformed
	}
	if fields[1] != strconv.Itoa(int(typ)) || len(fields) > 2 && fields[2] != key {
		return ErrUnexpected // the answer to another request
	}
	name := ""
	if typ == Lookup {
		name = key
	}
	return &RefusedError{Request: typ, Name: name, Code: Code(code)}
}
