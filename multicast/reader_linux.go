package multicast

import (
	"net/netip"

	"github.com/ferrygo/ferry/internal/datagram"
)

// A reader reads packets with what the system tells about them, many per system call.
// Its methods are for one goroutine at a time.
type reader struct {
	s     *socket
	in    *datagram.SocketReader
	names names
	infos []Info
	told  []datagram.Info
}

func newReader(s *socket) (*reader, error) {
	in, err := datagram.NewSocketReader(s.udp)
	return &reader{s: s, in: in}, err
}

// join sets whether the kernel joins packets, and reports whether it does.
func (r *reader) join(on bool) bool { return r.in.SetJoin(on) }

// scratch returns infos for n packets.
func (r *reader) scratch(n int) []Info {
	if len(r.infos) < n {
		r.infos = make([]Info, n)
	}
	return r.infos[:n]
}

// read returns the packets that have arrived. If wait is set, it waits for one.
func (r *reader) read(bufs [][]byte, sizes []int, infos []Info, wait bool) (int, error) {
	if len(r.told) < len(bufs) {
		r.told = make([]datagram.Info, len(bufs))
	}
	n, err := r.in.ReadInfo(bufs, sizes, r.told, wait)
	for i := range n {
		t := &r.told[i]
		infos[i] = Info{
			Source: t.Source, Destination: t.Destination, Interface: r.names.of(t.Interface), TTL: t.TTL,
			local: t.Local, index: t.Interface, broadcast: t.Broadcast, segment: t.Segment,
		}
	}
	return n, err
}

var _ datagram.BatchPoller = (*Conn)(nil)

// PollBatch is like ReadBatch, but it ignores the read deadline and does not wait: it
// returns 0 and no error if no packet is there. Only Linux has it. A type that embeds a Conn
// and changes ReadBatch must change PollBatch as well.
func (c *Conn) PollBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (n int, err error) {
	return c.readBatch(bufs, sizes, segments, from, local, false)
}
