package lossy_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/lossy"
)

type batchConn interface {
	net.PacketConn
	datagram.BatchReader
	datagram.BatchWriter
}

// An inbox is a set of slices for ReadBatch.
type inbox struct {
	bufs            [][]byte
	sizes, segments []int
	from            []netip.AddrPort
}

func newInbox(n, size int) inbox {
	x := inbox{make([][]byte, n), make([]int, n), make([]int, n), make([]netip.AddrPort, n)}
	for i := range x.bufs {
		x.bufs[i] = make([]byte, size)
	}
	return x
}

func (x *inbox) get(i int) string { return string(x.bufs[i][:x.sizes[i]]) }

// A batchFake has batch methods: it records the batches that are written, and
// returns those of its inbox.
type batchFake struct {
	*fakeConn
	batches [][]string
	reads   []fakeBatch
}

type fakeBatch struct {
	bufs     []string
	segments []int
}

func (c *batchFake) WriteBatch(bufs [][]byte, to []netip.AddrPort, _ []netip.Addr) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var batch []string
	for i, b := range bufs {
		if strings.HasPrefix(string(b), "!") {
			c.batches = append(c.batches, batch)
			return i, c.err
		}
		batch = append(batch, fmt.Sprintf("%s>%d", b, to[i].Port()))
	}
	c.batches = append(c.batches, batch)
	return len(bufs), nil
}

// take returns the batches that were written since it was called last.
func (c *batchFake) take() [][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	batches := c.batches
	c.batches = nil
	return batches
}

func (c *batchFake) ReadBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, _ []netip.Addr) (int, error) {
	if len(c.reads) == 0 {
		return 0, io.EOF
	}
	r := c.reads[0]
	c.reads = c.reads[1:]
	for i, s := range r.bufs {
		sizes[i], segments[i] = copy(bufs[i], s), r.segments[i]
		from[i] = netip.AddrPortFrom(netip.MustParseAddr("::ffff:192.0.2.1"), uint16(i))
	}
	return len(r.bufs), nil
}

// batchOf returns arguments for WriteBatch: "a>1" goes to port 1.
func batchOf(packets ...string) (bufs [][]byte, to []netip.AddrPort, local []netip.Addr) {
	for _, p := range packets {
		payload, port, _ := strings.Cut(p, ">")
		var k uint16
		fmt.Sscan(port, &k)
		bufs = append(bufs, []byte(payload))
		to = append(to, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), k))
	}
	return bufs, to, nil
}

// TestWriteBatchJudgedEach checks that what survives goes on as one batch, in
// order and to the right address.
func TestWriteBatchJudgedEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &batchFake{fakeConn: newFake()}
		late := lossy.DropIf(func(p lossy.Packet) bool { return p.Payload[0] == 'x' })
		w := lossy.Wrap(fake, lossy.DropNth(2), late).(batchConn)
		// Packets are numbered for each destination separately.
		bufs, to, _ := batchOf("a>1", "b>2", "lost>1", "c>1", "xd>3", "lost>2", "e>3")
		if n, err := w.WriteBatch(bufs, to, nil); n != 7 || err != nil {
			t.Fatalf("WriteBatch = %d, %v", n, err)
		}
		// e is the second to 3.
		if got, want := fmt.Sprint(fake.take()), "[[a>1 b>2 c>1]]"; got != want {
			t.Errorf("the batches are %s, want %s", got, want)
		}
	})
}

func TestWriteBatchCopies(t *testing.T) {
	fake := &batchFake{fakeConn: newFake()}
	w := lossy.Wrap(fake, lossy.Duplicate(1)).(batchConn)
	w.WriteBatch(batchOf("a>1", "b>2"))
	if got, want := fmt.Sprint(fake.take()), "[[a>1 a>1 b>2 b>2]]"; got != want {
		t.Errorf("the batches are %s, want %s", got, want)
	}
}

// TestWriteBatchDelayed checks that packets due at one time leave as one
// batch, and that the caller's buffers are its own meanwhile.
func TestWriteBatchDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &batchFake{fakeConn: newFake()}
		fake.err = errors.New("cannot")
		w := lossy.Wrap(fake, lossy.Delay(time.Second)).(batchConn)
		bufs, to, _ := batchOf("a>1", "!>1", "b>2", "!!>1", "c>1")
		w.WriteBatch(bufs, to, nil)
		for _, b := range bufs {
			clear(b)
		}
		if got := fake.take(); len(got) != 0 {
			t.Errorf("the batches are %v before their time", got)
		}
		time.Sleep(2 * time.Second)
		if got, want := fmt.Sprint(fake.take()), "[[a>1] [b>2] [c>1]]"; got != want {
			t.Errorf("the batches are %s, want %s", got, want)
		}
		if egress, _ := lossy.StatsOf(w); egress.Passed != 3 || egress.Refused != 2 {
			t.Errorf("statistics are %+v, want 3 passed and 2 refused", egress)
		}
		var many []string
		for i := range 200 {
			many = append(many, fmt.Sprint(i, ">1"))
		}
		w.WriteBatch(batchOf(many...))
		time.Sleep(2 * time.Second)
		batches := fake.take()
		if got := slices.Concat(batches...); len(got) != 200 || got[199] != "199>1" || len(batches) > 10 {
			t.Errorf("200 packets left in %d batches: %v", len(batches), batches)
		}
	})
}

// TestWriteBatchError checks that an error is about the packet that the
// result says, counted in the caller's batch.
func TestWriteBatchError(t *testing.T) {
	fake := &batchFake{fakeConn: newFake()}
	fake.err = errors.New("cannot")
	w := lossy.Wrap(fake, lossy.DropNth(2)).(batchConn)
	bufs, to, _ := batchOf("a>1", "lost>1", "b>1", "!>1", "c>1")
	n, err := w.WriteBatch(bufs, to, nil)
	if n != 3 || err != fake.err {
		t.Fatalf("WriteBatch = %d, %v; want 3, %v", n, err, fake.err)
	}
	if n, err := w.WriteBatch(bufs[4:], to[4:], nil); n != 1 || err != nil {
		t.Fatalf("WriteBatch of the rest = %d, %v", n, err)
	}
	if got, want := fmt.Sprint(fake.take()), "[[a>1 b>1] [c>1]]"; got != want {
		t.Errorf("the batches are %s, want %s", got, want)
	}
	if egress, _ := lossy.StatsOf(w); egress.Passed != 3 || egress.Refused != 2 || egress.Scripted != 1 {
		t.Errorf("statistics are %+v; want 3 passed, 2 refused (the bad one, and c at first), 1 scripted", egress)
	}
	// The wrapped conn refuses invalid addresses.
	n, err = w.WriteBatch([][]byte{[]byte("fine"), make([]byte, 65508)}, to[:2], nil)
	if n != 1 || err != io.ErrShortWrite {
		t.Errorf("WriteBatch = %d, %v; want 1 and the wrapped conn's error", n, err)
	}
}

// A lazyFake writes nothing, and does not say why.
type lazyFake struct{ *batchFake }

func (lazyFake) WriteBatch([][]byte, []netip.AddrPort, []netip.Addr) (int, error) { return 0, nil }

// TestWriteBatchNoProgress checks that a conn that is wrong about batches
// makes no endless loop.
func TestWriteBatchNoProgress(t *testing.T) {
	w := lossy.Wrap(lazyFake{&batchFake{fakeConn: newFake()}}, lossy.Loss(0)).(batchConn)
	if n, err := w.WriteBatch(batchOf("a>1", "b>1")); n != 0 || err != io.ErrShortWrite {
		t.Errorf("WriteBatch = %d, %v; want 0, %v", n, err, io.ErrShortWrite)
	}
}

// TestBatchNotJudged checks that a direction without models is left alone.
func TestBatchNotJudged(t *testing.T) {
	fake := &batchFake{fakeConn: newFake(), reads: []fakeBatch{{[]string{"aab"}, []int{2}}}}
	fake.err = errors.New("cannot")
	out := lossy.Wrap(fake, lossy.Ingress(lossy.Loss(1))).(batchConn)
	if n, err := out.WriteBatch(batchOf("a>1", "b>2", "!>1")); n != 2 || err != fake.err {
		t.Errorf("WriteBatch = %d, %v; want 2, %v", n, err, fake.err)
	}
	if got, want := fmt.Sprint(fake.take()), "[[a>1 b>2]]"; got != want {
		t.Errorf("the batches are %s, want %s", got, want)
	}
	in := lossy.Wrap(fake, lossy.Loss(1)).(batchConn)
	x := newInbox(2, 10)
	if n, err := in.ReadBatch(x.bufs, x.sizes, x.segments, x.from, nil); n != 1 || err != nil || x.get(0) != "aab" || x.segments[0] != 2 {
		t.Errorf("ReadBatch = %d, %v, %q", n, err, x.get(0))
	}
	for _, w := range []net.PacketConn{in, out} {
		if egress, ingress := lossy.StatsOf(w); egress != (lossy.Stats{}) || ingress != (lossy.Stats{}) {
			t.Errorf("statistics are %+v and %+v, want none", egress, ingress)
		}
	}
}

// TestReadBatchSegments checks that each datagram of a buffer that holds
// several is judged separately, and that the remaining ones are in one piece.
func TestReadBatchSegments(t *testing.T) {
	fake := &batchFake{fakeConn: newFake(), reads: []fakeBatch{
		{[]string{"aaabbbcccd", "single", "eeefff"}, []int{3, 0, 3}},
		{[]string{"xxx", "", "yyyx", "x"}, []int{0, 0, 3, 1}},
		{[]string{"xx"}, []int{0}},
		{[]string{"last"}, []int{0}},
	}}
	x := lossy.DropIf(func(p lossy.Packet) bool {
		return len(p.Payload) > 0 && strings.Contains("xbe", string(p.Payload[:1]))
	})
	w := lossy.Wrap(fake, lossy.Ingress(x)).(batchConn)
	in := newInbox(4, 20)
	for _, want := range []string{
		"aaacccd/3@0 single/0@1 fff/3@2",
		"/0@1 yyy/3@2", // an empty datagram is one
		"last/0@0",     // a batch of which nothing is left is read over
	} {
		n, err := w.ReadBatch(in.bufs, in.sizes, in.segments, in.from, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range n {
			if got, want := in.from[i].Addr().String(), "192.0.2.1"; got != want {
				t.Errorf("from %s, want %s", got, want)
			}
			got = append(got, fmt.Sprintf("%s/%d@%d", in.get(i), in.segments[i], in.from[i].Port()))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("ReadBatch gave %q, want %q", s, want)
		}
	}
	if _, err := w.ReadBatch(in.bufs, in.sizes, in.segments, in.from, nil); err != io.EOF {
		t.Errorf("ReadBatch: %v, want the wrapped conn's error", err)
	}
	if _, ingress := lossy.StatsOf(w); ingress.Packets != 14 || ingress.Scripted != 6 || ingress.Passed != 8 {
		t.Errorf("statistics are %+v", ingress)
	}
}

// TestReadBatchDelayed checks that all that is due comes as one batch.
func TestReadBatchDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := open(t, n), open(t, n)
		w := lossy.Wrap(b, lossy.Ingress(lossy.Delay(time.Second), lossy.Duplicate(1))).(batchConn)
		for _, s := range []string{"one", "two", "three"} {
			send(t, a, b, s)
		}
		var got []string
		x := newInbox(4, 10)
		for len(got) < 6 {
			k, err := w.ReadBatch(x.bufs, x.sizes, x.segments, x.from, nil)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(k))
			for i := range k {
				got = append(got, x.get(i))
				if x.from[i] != a.AddrPort() {
					t.Errorf("from %v, want %v", x.from[i], a.AddrPort())
				}
			}
		}
		if want := []string{"4", "one", "one", "two", "two", "2", "three", "three"}; !slices.Equal(got, want) {
			t.Errorf("batches are %q, want %q", got, want)
		}
	})
}

// TestWrapNoAllocations checks that a packet costs none, in any direction.
func TestWrapNoAllocations(t *testing.T) {
	w := lossy.Wrap(nullConn{}, lossy.Both(lossy.Loss(0.1), lossy.Duplicate(0.1), lossy.Crowding(time.Nanosecond, 0, 0.1))).(batchConn)
	payload := make([]byte, 1000)
	bufs := [][]byte{payload, payload}
	to := []netip.AddrPort{addr("192.0.2.1:1"), addr("192.0.2.1:2")}
	x := newInbox(2, 1000)
	for what, f := range map[string]func(){
		"WriteTo":    func() { w.WriteTo(payload, nullRemote) },
		"WriteBatch": func() { w.WriteBatch(bufs, to, nil) },
		"ReadBatch":  func() { w.ReadBatch(x.bufs, x.sizes, x.segments, x.from, nil) },
	} {
		if got := testing.AllocsPerRun(1000, f); got >= 1 {
			t.Errorf("%s costs %v allocations", what, got)
		}
	}
}
