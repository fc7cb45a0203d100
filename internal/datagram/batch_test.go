package datagram

import (
	"errors"
	"io"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A fakeBatch is a conn with batch methods. What a ReadBatch finds is scripted.
type fakeBatch struct {
	*fakeConn
	read  func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error)
	write func(bufs [][]byte, to []netip.AddrPort) (int, error)

	local  []netip.Addr // what it reports for each buffer
	source []netip.Addr // what the last write asked for
}

func (c *fakeBatch) ReadBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (int, error) {
	copy(local, c.local)
	return c.read(bufs, sizes, segments, from)
}

func (c *fakeBatch) WriteBatch(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (int, error) {
	c.source = slices.Clone(local)
	return c.write(bufs, to)
}

func TestReadBatch(t *testing.T) {
	const readSize = 20
	host, other := netip.MustParseAddrPort(peer), netip.MustParseAddrPort("10.0.0.3:3")
	type buffer struct {
		data    string
		size    int // if not len(data)
		segment int
		from    netip.AddrPort
	}
	for _, test := range []struct {
		name string
		bufs []buffer
		n    int // if not len(bufs)
		want []string
	}{
		{name: "one", bufs: []buffer{{data: "a", from: host}}, want: []string{"a"}},
		{name: "two", bufs: []buffer{{data: "a", from: host}, {data: "", from: other}}, want: []string{"a", ""}},
		{name: "segments", bufs: []buffer{{data: "aabbc", segment: 2, from: host}}, want: []string{"aa", "bb", "c"}},
		{name: "equal segments", bufs: []buffer{{data: "aabb", segment: 2, from: host}}, want: []string{"aa", "bb"}},
		{name: "one segment", bufs: []buffer{{data: "a", segment: 2, from: host}}, want: []string{"a"}},
		{name: "an empty segment", bufs: []buffer{{data: "", segment: 2, from: host}}, want: []string{""}},
		{
			name: "segments and none",
			bufs: []buffer{{data: "aabb", segment: 2, from: host}, {data: "cccc", from: other}},
			want: []string{"aa", "bb", "cccc"},
		},
		{
			name: "as long as it gets",
			bufs: []buffer{{data: strings.Repeat("x", readSize+1), from: host}},
			want: []string{strings.Repeat("x", readSize+1)},
		},
		{name: "no address", bufs: []buffer{{data: "a"}, {data: "b", from: host}}, want: []string{"b"}},
		{name: "negative size", bufs: []buffer{{size: -1, from: host}, {data: "b", from: host}}, want: []string{"b"}},
		{name: "size too big", bufs: []buffer{{size: readSize + 2, from: host}, {data: "b", from: host}}, want: []string{"b"}},
		{name: "negative segment", bufs: []buffer{{data: "a", segment: -1, from: host}, {data: "b", from: host}}, want: []string{"b"}},
		{name: "n too big", bufs: []buffer{{data: "a", from: host}, {data: "b", from: host}}, n: math.MaxInt, want: []string{"a", "b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn := &fakeBatch{fakeConn: newFakeConn()}
			conn.read = func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error) {
				if len(bufs) != 2 || len(sizes) != 2 || len(segments) != 2 || len(from) != 2 {
					t.Fatalf("lengths %d %d %d %d", len(bufs), len(sizes), len(segments), len(from))
				}
				clear(from)
				for i, b := range test.bufs {
					if len(bufs[i]) != readSize+1 {
						t.Fatalf("buffer of %d bytes", len(bufs[i]))
					}
					sizes[i], segments[i], from[i] = copy(bufs[i], b.data), b.segment, b.from
					if b.size != 0 {
						sizes[i] = b.size
					}
				}
				if test.n != 0 {
					return test.n, nil
				}
				return len(test.bufs), nil
			}
			c := Open(t.Context(), conn, Config{ReadSize: readSize, Batch: 2})
			defer c.Release()
			pkts, err := c.Read(time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, texts(pkts)); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
			for i, p := range pkts {
				if cap(p.Data) != len(p.Data) {
					t.Errorf("packet %d: appending to it would write over the next", i)
				}
			}
		})
	}
}

func TestReadBatchHostile(t *testing.T) {
	host := netip.MustParseAddrPort(peer)
	reads := 0
	conn := &fakeBatch{fakeConn: newFakeConn()}
	conn.read = func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error) {
		reads++
		switch reads {
		case 1:
			return -5, nil
		case 2:
			return 0, nil
		case 3:
			return 0, syscall.ECONNREFUSED
		case 4: // a packet comes before an error
			sizes[0], from[0] = copy(bufs[0], "data"), host
			return 1, os.ErrDeadlineExceeded
		}
		// As many datagrams as bytes.
		for i := range bufs {
			sizes[i], segments[i], from[i] = len(bufs[i]), 1, host
		}
		return len(bufs), nil
	}
	c := Open(t.Context(), conn, Config{})
	defer c.Release()
	pkts, err := c.Read(time.Time{})
	if err != nil || len(pkts) != 1 || string(pkts[0].Data) != "data" {
		t.Errorf("Read = %v, %v", texts(pkts), err)
	}
	if pkts, err = c.Read(time.Time{}); err != nil || len(pkts) > defaultBatch*maxSegments {
		t.Errorf("Read = %d packets, %v", len(pkts), err)
	}
}

// Segments that a ReadBatch does not set are those of no earlier one.
func TestReadBatchStaleSegments(t *testing.T) {
	host := netip.MustParseAddrPort(peer)
	first := true
	conn := &fakeBatch{fakeConn: newFakeConn()}
	conn.read = func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error) {
		sizes[0], from[0] = copy(bufs[0], "aabb"), host
		if first {
			segments[0] = 2
		}
		first = false
		return 1, nil
	}
	c := Open(t.Context(), conn, Config{})
	defer c.Release()
	for _, want := range [][]string{{"aa", "bb"}, {"aabb"}} {
		pkts, err := c.Read(time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, texts(pkts)); diff != "" {
			t.Errorf("packets (-want +got):\n%s", diff)
		}
	}
}

func TestWriteBatch(t *testing.T) {
	broken := errors.New("broken")
	type answer struct {
		n   int
		err error
	}
	for _, test := range []struct {
		name    string
		answers []answer // the last one for ever; n is cut to what there is
		n       int
		err     error
		calls   []string
	}{
		{"all", []answer{{3, nil}}, 5, nil, []string{"abc", "de"}},
		{"one by one", []answer{{1, nil}}, 5, nil, []string{"abc", "bcd", "cde", "de", "e"}},
		{"error at once", []answer{{0, broken}}, 0, broken, []string{"abc"}},
		{"error of the third", []answer{{2, broken}}, 2, broken, []string{"abc"}},
		{"error of the sixth", []answer{{3, broken}}, 5, nil, []string{"abc", "de"}},
		{"refused", []answer{{1, syscall.ECONNREFUSED}, {3, nil}}, 5, nil, []string{"abc", "bcd", "e"}},
		{"nothing", []answer{{0, nil}}, 0, io.ErrShortWrite, []string{"abc"}},
		{"negative", []answer{{-1, nil}}, 0, io.ErrShortWrite, []string{"abc"}},
		{"too many", []answer{{math.MaxInt, nil}}, 5, nil, []string{"abc", "de"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var calls []string
			conn := &fakeBatch{fakeConn: newFakeConn()}
			conn.write = func(bufs [][]byte, to []netip.AddrPort) (int, error) {
				var call strings.Builder
				for i, b := range bufs {
					call.WriteString(string(b))
					if want := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), uint16(b[0])); to[i] != want {
						t.Errorf("%s goes to %v", b, to[i])
					}
				}
				calls = append(calls, call.String())
				a := test.answers[min(len(calls), len(test.answers))-1]
				return a.n, a.err
			}
			c := Open(t.Context(), conn, Config{Batch: 3})
			defer c.Release()
			var pkts []Packet
			for _, b := range "abcde" {
				pkts = append(pkts, Packet{Data: []byte(string(b)), Addr: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), uint16(b))})
			}
			n, err := c.Write(pkts)
			if n != test.n || !errors.Is(err, test.err) {
				t.Errorf("Write = %d, %v; want %d, %v", n, err, test.n, test.err)
			}
			if diff := cmp.Diff(test.calls, calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			for _, b := range c.out.(*batchWriter).bufs {
				if b != nil {
					t.Errorf("%q is kept", b)
				}
			}
		})
	}
}

// A packet to nowhere does not go to the conn, those before and after it do.
func TestWriteBatchNowhere(t *testing.T) {
	var sent []string
	conn := &fakeBatch{fakeConn: newFakeConn()}
	conn.write = func(bufs [][]byte, to []netip.AddrPort) (int, error) {
		for _, b := range bufs {
			sent = append(sent, string(b))
		}
		return len(bufs), nil
	}
	c := Open(t.Context(), conn, Config{})
	defer c.Release()
	pkts := []Packet{to(peer, "a"), {Data: []byte("b")}, to(peer, "c")}
	if n, err := c.Write(pkts); n != 1 || err != errNoAddr {
		t.Errorf("Write = %d, %v", n, err)
	}
	if n, err := c.Write(pkts[2:]); n != 1 || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
	if diff := cmp.Diff([]string{"a", "c"}, sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// A conn may have one of the two methods.
func TestOnlyReadBatch(t *testing.T) {
	pc := newFakeConn(from(peer, "data"))
	in, out, _ := paths(struct {
		*fakeConn
		BatchReader
	}{pc, &fakeBatch{}}, &Config{})
	if _, ok := in.(*batchReader); !ok {
		t.Errorf("reads by %T", in)
	}
	if _, ok := out.(*plainWriter); !ok {
		t.Errorf("writes by %T", out)
	}
}

func TestBatchNoAllocations(t *testing.T) {
	host := netip.MustParseAddrPort(peer)
	conn := &fakeBatch{fakeConn: newFakeConn()}
	conn.read = func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error) {
		for i := range bufs {
			sizes[i], segments[i], from[i] = 1000, 100, host
		}
		return len(bufs), nil
	}
	conn.write = func(bufs [][]byte, to []netip.AddrPort) (int, error) { return len(bufs), nil }
	c := Open(t.Context(), conn, Config{ReadSize: 1500})
	defer c.Release()
	pkts := make([]Packet, 100)
	for i := range pkts {
		pkts[i] = to(peer, "data")
	}
	for range 6 { // until there are as many buffers as there will be
		if _, err := c.Read(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if allocs := testing.AllocsPerRun(20, func() {
		if _, err := c.Read(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(pkts); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// The buffers are as many as are needed: a conn where little arrives needs little
// memory.
func TestReadBatchGrows(t *testing.T) {
	host := netip.MustParseAddrPort(peer)
	var arrived, offered int
	conn := &fakeBatch{fakeConn: newFakeConn()}
	conn.read = func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error) {
		offered = len(bufs)
		n := min(arrived, len(bufs))
		for i := range n {
			sizes[i], from[i] = copy(bufs[i], "data"), host
		}
		return n, nil
	}
	c := Open(t.Context(), conn, Config{Batch: 7})
	defer c.Release()
	for _, step := range []struct{ arrived, offered int }{
		{1, 2}, {1, 2}, {1, 2}, {2, 2}, {1, 4}, {3, 4}, {4, 4}, {6, 7}, {7, 7}, {7, 7}, {1, 7},
	} {
		arrived = step.arrived
		pkts, err := c.Read(time.Time{})
		if err != nil || len(pkts) != step.arrived || offered != step.offered {
			t.Errorf("%d arrive: %d packets of %d, want of %d; %v", arrived, len(pkts), offered, step.offered, err)
		}
		for _, p := range pkts {
			if string(p.Data) != "data" {
				t.Errorf("packet %q", p.Data)
			}
		}
	}
}

// The addresses of this host pass through a conn's batches both ways, for those who want
// them.
func TestBatchLocal(t *testing.T) {
	host, a, b := netip.MustParseAddrPort(peer), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1%eth0")
	conn := &fakeBatch{fakeConn: newFakeConn(), local: []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.1"), b}}
	conn.read = func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error) {
		sizes[0], segments[0], from[0] = copy(bufs[0], "aabb"), 2, host
		sizes[1], from[1] = copy(bufs[1], "c"), host
		return 2, nil
	}
	conn.write = func(bufs [][]byte, to []netip.AddrPort) (int, error) { return len(bufs), nil }
	for _, on := range []bool{true, false} {
		c := Open(t.Context(), conn, Config{Local: on})
		pkts, err := c.Read(time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool][]netip.Addr{true: {a, a, b}, false: {{}, {}, {}}}[on]
		for i, p := range pkts {
			if p.Local != want[i] {
				t.Errorf("on %v: packet %d was sent to %v, want %v", on, i, p.Local, want[i])
			}
		}
		if _, err := c.Write(pkts); err != nil {
			t.Fatal(err)
		}
		if !on {
			want = nil
		}
		if !slices.Equal(conn.source, want) {
			t.Errorf("on %v: written from %v, want %v", on, conn.source, want)
		}
		c.Release()
	}
}
