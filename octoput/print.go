package octoput

import (
	"fmt"
	"io"
)

// PrintTrace returns a Trace that prints a line to w for every packet, timeout and loss,
// with flags and bitmaps as eight digits:
//
//	sent LEG 7 00100000, held 11000000
//	received ACK 7 11011111, held 00000000 -> 11011111
//	sent LEG 7 00100000 again, held 11011111
//	timeout at LEG 7, held 11011111
//	dropped LEG 7 00100000
//
// The number is the octoblock's. After "held" come the octolegs of the octoblock in flight
// that the receiver holds; at the sender, as far as it knows. Errors of w are ignored.
func PrintTrace(w io.Writer) *Trace {
	return &Trace{
		Sent: func(e PacketEvent) {
			fmt.Fprintf(w, "sent %v %d %v%s, held %s\n", e.Type, e.Block, e.Flags, again(e), held(e))
		},
		Received: func(e PacketEvent) {
			fmt.Fprintf(w, "received %v %d %v%s, held %s\n", e.Type, e.Block, e.Flags, again(e), held(e))
		},
		Timeout: func(e PacketEvent) {
			fmt.Fprintf(w, "timeout at %v %d, held %s\n", e.Type, e.Block, held(e))
		},
		PacketLoss: func(e PacketEvent) {
			p := e
			fmt.Fprintf(w, "dropped %v %d %v\n", p.Type, p.Block, p.Flags)
		},
		WriteFailed: func(e PacketEvent) {
			to, err := e.Addr, e.Err
			fmt.Fprintf(w, "not sent to %v: %v\n", to, err)
		},
		Ignored: func(e PacketEvent) {
			from, err := e.Addr, e.Err
			fmt.Fprintf(w, "ignored, from %v: %v\n", from, err)
		},
	}
}

func again(e PacketEvent) string {
	if e.Again {
		return " again"
	}
	return ""
}

// held prints what an event changed.
func held(e PacketEvent) string {
	if e.Before == e.After {
		return e.After.String()
	}
	return e.Before.String() + " -> " + e.After.String()
}
