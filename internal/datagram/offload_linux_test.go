package datagram

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// alikePackets are n packets of one length, told apart by their first bytes.
func alikePackets(n, length int, to netip.AddrPort) (pkts []Packet) {
	for i := range n {
		data := make([]byte, length)
		data[0], data[1] = byte(i), byte(i>>8)
		pkts = append(pkts, Packet{Data: data, Addr: to})
	}
	return pkts
}

// counting has a writer count the messages and the datagrams that it sends.
func counting(w *socketWriter) (messages, datagrams *int) {
	messages, datagrams = new(int), new(int)
	call := w.call
	w.call = func(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno) {
		n, errno := call(fd, msgs)
		for _, m := range msgs[:n] {
			*messages++
			*datagrams += int(m.Hdr.Iovlen)
		}
		return n, errno
	}
	return messages, datagrams
}

// Datagrams that are sent in one piece arrive unchanged, joined or not.
func TestSegments(t *testing.T) {
	for _, network := range []string{"udp4", "udp6", "udp"} {
		for _, joined := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,joined=%v", network, joined), func(t *testing.T) {
				in := loopback(t, network, ":0")
				if network != "udp4" {
					loopback(t, "udp6", "[::1]:0") // or there is no such address
				}
				c, w := segmenting(t, network)
				to := reachable(addrOf(in), map[bool]string{true: "127.0.0.1:0", false: "[::1]:0"}[network == "udp4"])
				messages, datagrams := counting(w)
				pkts := append(alikePackets(30, 1400, to), Packet{Data: []byte("the rest"), Addr: to})
				pkts = append(pkts, alikePackets(3, 9, to)...)
				if n, err := c.Write(pkts); n != len(pkts) || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
				// Up to the short one, and the others.
				if *messages != 2 || *datagrams != len(pkts) {
					t.Errorf("%d messages of %d datagrams", *messages, *datagrams)
				}
				r := Open(t.Context(), in, Config{Join: joined, ReadSize: 1500})
				defer r.Release()
				for i, got := range readAll(t, r, len(pkts)) {
					if diff := cmp.Diff(pkts[i].Data, got.Data); diff != "" {
						t.Fatalf("datagram %d (-want +got):\n%s", i, diff)
					}
				}
			})
		}
	}
}

// segmenting is a Conn that writes in pieces, and its writer.
func segmenting(t *testing.T, network string) (*Conn, *socketWriter) {
	t.Helper()
	c := Open(t.Context(), loopback(t, network, ":0"), Config{Batch: 64})
	t.Cleanup(c.Release)
	w := c.out.(*batchWriter).conn.(*socketWriter)
	if !w.segment {
		t.Skip("the kernel cuts nothing apart")
	}
	return c, w
}

// A receiver that joins gets what was sent in one piece in one message.
func TestJoins(t *testing.T) {
	in := loopback(t, "udp4", "127.0.0.1:0")
	r := Open(t.Context(), in, Config{Join: true, ReadSize: 1400})
	if !joining(t, in) {
		r.Release()
		t.Skip("the kernel joins nothing")
	}
	c, _ := segmenting(t, "udp4")
	pkts := alikePackets(40, 1400, addrOf(in))
	if _, err := c.Write(pkts); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Read(past); len(got) != len(pkts) || err != nil {
		t.Errorf("%d datagrams in one read, %v; want all %d", len(got), err, len(pkts))
	}
	r.Release()
	if joining(t, in) {
		t.Error("the socket still joins, after Release")
	}
}

// NoOffload turns offload off, even with Join.
func TestNoOffload(t *testing.T) {
	in := loopback(t, "udp4", "127.0.0.1:0")
	_, w := segmenting(t, "udp4")
	c := Open(t.Context(), in, Config{Join: true, NoOffload: true})
	defer c.Release()
	if joining(t, in) || c.out.(*batchWriter).conn.(*socketWriter).segment {
		t.Error("there is offload")
	}
	for _, on := range []bool{false, true} {
		if got := NewSocketWriter(in, on).(*socketWriter).segment; got != on {
			t.Errorf("Writer(%v) has offload: %v", on, got)
		}
	}
	r := newSocketReader(in, w.raw)
	if r.SetJoin(false) || r.join {
		t.Error("joins, though it was told not to")
	}
}

// joining reports whether a socket joins datagrams.
func joining(t *testing.T, conn *net.UDPConn) bool {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var value int
	raw.Control(func(fd uintptr) { value, _ = unix.GetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO) })
	return value != 0
}

// A kernel or a device that refuses to cut is asked no more, and nothing is lost.
func TestSegmentsRefused(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EIO, unix.EINVAL, unix.EMSGSIZE, unix.EOPNOTSUPP, unix.ENOPROTOOPT, unix.EPERM} {
		in := loopback(t, "udp4", "127.0.0.1:0")
		c, w := segmenting(t, "udp4")
		call, refused := w.call, 0
		w.call = func(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno) {
			if msgs[0].Hdr.Controllen > 0 {
				refused++
				return 0, errno
			}
			return call(fd, msgs)
		}
		pkts := alikePackets(50, 100, addrOf(in))
		for range 2 {
			if n, err := c.Write(pkts); n != len(pkts) || err != nil {
				t.Fatalf("%v: Write = %d, %v", errno, n, err)
			}
		}
		r := Open(t.Context(), in, Config{})
		got := readAll(t, r, 2*len(pkts))
		r.Release()
		if len(got) != 2*len(pkts) || refused != 1 {
			t.Errorf("%v: %d of %d arrived, it was tried %d times", errno, len(got), 2*len(pkts), refused)
		}
		if w.segments(true); w.segment {
			t.Errorf("%v: it would be tried again", errno)
		}
	}
}

// An error that has nothing to do with it stops no offload.
func TestSegmentsGoOn(t *testing.T) {
	in := loopback(t, "udp4", "127.0.0.1:0")
	c, w := segmenting(t, "udp4")
	call, failed := w.call, false
	w.call = func(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno) {
		if !failed {
			failed = true
			return 0, unix.ECONNREFUSED
		}
		return call(fd, msgs)
	}
	messages, _ := counting(w)
	if n, err := c.Write(alikePackets(20, 100, addrOf(in))); n != 20 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if *messages != 1 || !w.segment {
		t.Errorf("%d messages; segment %v", *messages, w.segment)
	}
}

// Segments longer than the path's packets are sent as ever, in fragments.
func TestSegmentsTooLong(t *testing.T) {
	in := loopback(t, "udp4", "127.0.0.1:0")
	c, _ := segmenting(t, "udp4")
	pkts := alikePackets(3, 40000, addrOf(in)) // two of them are more than one piece can be
	if n, err := c.Write(pkts); n != 3 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	r := Open(t.Context(), in, Config{})
	defer r.Release()
	readAll(t, r, 3)
}

func TestAlike(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.1:2")
	for _, tt := range []struct {
		name    string
		lengths []int
		to      []netip.AddrPort
		want    int
	}{
		{"one", []int{5}, nil, 1},
		{"all", []int{5, 5, 5}, nil, 3},
		{"the last is shorter", []int{5, 5, 4, 4}, nil, 3},
		{"a longer one", []int{5, 5, 6}, nil, 2},
		{"another destination", []int{5, 5, 5}, []netip.AddrPort{a, a, b}, 2},
		{"an empty one", []int{5, 0, 5}, nil, 1},
		{"empty ones", []int{0, 0}, nil, 1},
		{"as many bytes as there may be", []int{32500, 32500, 1}, nil, 2},
		{"more than that", []int{32500, 32500, 32500}, nil, 2},
	} {
		w := socketWriter{segment: true}
		var bufs [][]byte
		to := tt.to
		for _, n := range tt.lengths {
			bufs = append(bufs, make([]byte, n))
			if tt.to == nil {
				to = append(to, a)
			}
		}
		if got := w.alike(bufs, to, nil); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	w := socketWriter{segment: true}
	bufs, to := make([][]byte, 100), make([]netip.AddrPort, 100)
	for i := range bufs {
		bufs[i] = []byte{1}
	}
	if got := w.alike(bufs, to, nil); got != maxSegmented {
		t.Errorf("%d in one piece", got)
	}
}

// The control message is found among others, and one that is cut off is none.
func TestJoinedControl(t *testing.T) {
	segment := func(c *control, length int) int {
		var i Info
		i.parse(c, length, new(zones))
		return i.Segment
	}
	var c control
	put := func(at int, kind int32, value byte) (next int) {
		data, next := c.put(at, unix.SOL_UDP, kind, 4)
		binary.NativeEndian.PutUint32(data, uint32(value))
		return next
	}
	end := put(put(0, unix.UDP_SEGMENT, 3), unix.UDP_GRO, 7)
	if got := segment(&c, end); got != 7 {
		t.Errorf("segments of %d, want 7", got)
	}
	for _, length := range []int{0, 4, end - unix.CmsgSpace(4), end - unix.CmsgSpace(4) + unix.SizeofCmsghdr} {
		if got := segment(&c, length); got != 0 {
			t.Errorf("segments of %d, in %d bytes", got, length)
		}
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&c))
	all := len(c.bytes())
	for _, one := range []struct {
		name        string
		level, kind int32
		length, end int
	}{
		{"of nothing", unix.SOL_UDP, unix.UDP_GRO, 0, all},
		{"without a value", unix.SOL_UDP, unix.UDP_GRO, unix.CmsgLen(0), unix.CmsgLen(0)},
		{"longer than all", unix.SOL_UDP, unix.UDP_GRO, all + 1, all},
		{"of another level", unix.SOL_IP, unix.UDP_GRO, unix.CmsgLen(4), unix.CmsgSpace(4)},
	} {
		h.Level, h.Type = one.level, one.kind
		h.SetLen(one.length)
		if got := segment(&c, one.end); got != 0 {
			t.Errorf("a control message %s: segments of %d", one.name, got)
		}
	}
}
