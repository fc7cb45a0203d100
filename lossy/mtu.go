package lossy

import "fmt"

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
