package lossy

import "fmt"

// DropNth drops the packets with these numbers in every flow, counted from 1:
// DropNth(1, 2) loses the first two and lets everything else pass. It panics
// if a number is less than 1.
func DropNth(numbers ...int) Model {
	drop := make(map[int]bool, len(numbers))
	for _, n := range numbers {
		if n < 1 {
			panic(fmt.Sprintf("lossy: DropNth: packets are numbered from 1, not %d", n))
		}
		drop[n] = true
	}
	return DropIf(func(p Packet) bool { return drop[p.N] })
}

// DropEvery drops every n-th packet of each flow: DropEvery(10) the 10th, the
// 20th and so on. It panics if n is less than 1.
func DropEvery(n int) Model {
	if n < 1 {
		panic(fmt.Sprintf("lossy: DropEvery: every %d-th packet is none", n))
	}
	return DropIf(func(p Packet) bool { return p.N%n == 0 })
}

// DropIf drops the packets for which predicate is true. The predicate is
// called by one goroutine at a time for each Network or wrapped conn, while
// that is locked: it must return soon and must not use its conns. If it panics,
// so does the call that brought the packet, or, if that was a timer, the program.
// DropIf itself panics if predicate is nil.
func DropIf(predicate func(Packet) bool) Model {
	if predicate == nil {
		panic("lossy: DropIf: the predicate is nil")
	}
	j := func(x *passage) verdict {
		if ask(predicate, x.Packet) {
			return verdict{cause: CauseScript}
		}
		return verdict{}
	}
	return &part{newJudge: func() judge { return j }, eager: true, timeless: true}
}

// ask calls predicate. If it panics, the text names DropIf.
func ask(predicate func(Packet) bool, p Packet) bool {
	defer func() {
		if r := recover(); r != nil {
			panic(fmt.Sprintf("lossy: DropIf: the predicate panicked: %v", r))
		}
	}()
	return predicate(p)
}

// MTU drops packets that are longer than a link can carry, silently, as a
// network does from which no ICMP message comes back. The bytes are those of
// the whole IP packet: to the payload 28 are added over IPv4, and 48 over IPv6
// (RFC 791, RFC 8200 and RFC 768: headers without options). It panics if bytes
// is less than 68, the least that IPv4 allows (RFC 791, section 3.2).
func MTU(bytes int) Model {
	if bytes < 68 {
		panic(fmt.Sprintf("lossy: MTU: %d bytes are less than IPv4's 68", bytes))
	}
	return stateless(func(x *passage) verdict {
		if len(x.Payload)+headers(x.Packet) > bytes {
			return verdict{cause: CauseMTU}
		}
		return verdict{}
	})
}

// headers returns the length of a packet's IP and UDP headers.
func headers(p Packet) int {
	if p.From.Addr().Is6() && p.To.Addr().Is6() {
		return 40 + 8
	}
	return 20 + 8
}
