package relay

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func deliveryOf(id int, size int) delivery {
	return delivery{data: fmt.Appendf(make([]byte, 0, size), "%d\n", id), messages: 1}
}

func TestQueueBounds(t *testing.T) {
	cost := deliveryOf(0, 100).cost()
	if cost != 100+perDelivery {
		t.Fatalf("a delivery costs %d", cost)
	}
	q := queue{limit: 3 * cost}
	for i := range 3 {
		if !q.fits(deliveryOf(i, 100)) {
			t.Fatalf("no room for delivery %d", i)
		}
		q.push(deliveryOf(i, 100))
	}
	if q.fits(deliveryOf(3, 10)) || q.halfFree() {
		t.Error("room in a full queue")
	}
	// Bytes that are being written take room.
	bufs, n := q.take(nil)
	if len(bufs) != 3 || n != 3 || q.fits(deliveryOf(3, 10)) || !q.empty() {
		t.Errorf("take gave %d buffers, %d messages", len(bufs), n)
	}
	q.wrote()
	if !q.halfFree() || q.bytes() != 0 {
		t.Errorf("%d bytes after wrote", q.bytes())
	}
	if !q.fits(deliveryOf(0, 1000*cost)) {
		t.Error("no room for a long delivery in an empty queue")
	}
}

func TestQueueWritesAreBounded(t *testing.T) {
	q := queue{limit: 1 << 30}
	for i := range 1000 {
		q.push(deliveryOf(i, 8))
	}
	if bufs, _ := q.take(nil); len(bufs) != maxVectored {
		t.Errorf("a write has %d buffers, want %d", len(bufs), maxVectored)
	}
	q = queue{limit: 1 << 30}
	for range 10 {
		q.push(delivery{data: make([]byte, maxWritten/2), messages: 1})
	}
	if bufs, _ := q.take(nil); len(bufs) != 2 {
		t.Errorf("a write has %d buffers of 32 KiB, want 2", len(bufs))
	}
}

func TestDisplace(t *testing.T) {
	cost := deliveryOf(0, 100).cost()
	q := queue{limit: 2 * cost}
	for i := range 2 {
		if lost := q.displace(deliveryOf(i, 100)); lost != 0 {
			t.Fatalf("%d lost while there is room", lost)
		}
	}
	for i := 2; i < 5; i++ {
		if lost := q.displace(deliveryOf(i, 100)); lost != 1 {
			t.Fatalf("%d lost, want 1", lost)
		}
	}
	bufs, n := q.take(nil)
	if got := string(bytes.Join(bufs, nil)); got != "* 3 messages lost\n3\n4\n" || n != 2 {
		t.Errorf("take gave %q, %d messages", got, n)
	}
	// Bytes that are being written cannot be dropped.
	if lost := q.displace(deliveryOf(5, 100)); lost != 1 || q.empty() {
		t.Errorf("%d lost, want 1 and a notice", lost)
	}
	q.wrote()
	q.displace(deliveryOf(6, 100))
	bufs, _ = q.take(nil)
	if got := string(bytes.Join(bufs, nil)); got != "* 1 messages lost\n6\n" {
		t.Errorf("take gave %q", got)
	}
}

var queueSeed = flag.Uint64("relay.seed", 0, "run only this one of the random queues")

// TestRandomQueues: a queue keeps its limit and the order. Every message is taken or counted as lost.
func TestRandomQueues(t *testing.T) {
	for seed := uint64(1); seed <= 100 && !t.Failed(); seed++ {
		if *queueSeed != 0 {
			seed = *queueSeed
		}
		randomQueue(t, seed)
		if t.Failed() {
			t.Errorf("to repeat: go test -run TestRandomQueues -relay.seed=%d", seed)
		}
		if *queueSeed != 0 {
			return
		}
	}
}

func randomQueue(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	q := queue{limit: 200 + r.IntN(5000)}
	pushed, next := 0, 0 // next: the ID that is taken next
	take := func() {
		bufs, _ := q.take(nil)
		for line := range strings.Lines(string(bytes.Join(bufs, nil))) {
			var lost, id int
			if n, _ := fmt.Sscanf(line, "* %d messages lost\n", &lost); n == 1 {
				next += lost
				continue
			}
			if fmt.Sscan(line, &id); id != next {
				t.Errorf("took %d, want %d", id, next)
			}
			next++
		}
	}
	for range 1000 {
		switch r.IntN(4) {
		case 0:
			q.wrote()
			take()
		default:
			d := deliveryOf(pushed, 1+r.IntN(100))
			pushed++
			q.displace(d)
		}
		if q.bytes() > q.limit {
			t.Fatalf("%d bytes, limit %d", q.bytes(), q.limit)
		}
	}
	for !q.empty() || q.flying > 0 {
		q.wrote()
		take()
	}
	if next != pushed || q.bytes() != 0 {
		t.Errorf("%d taken or lost of %d; %d bytes are left", next, pushed, q.bytes())
	}
}

func TestBatcher(t *testing.T) {
	b := newBatcher(42)
	rest := []byte("two\nthree\nfo")
	b.add([]byte("one"), rest)
	b.add([]byte("two"), rest)
	b.add([]byte("three"), rest)
	d := b.take()
	if got, want := string(d.data), "42: one\n42: two\n42: three\n"; got != want || d.messages != 3 {
		t.Errorf("%q, %d messages; want %q", got, d.messages, want)
	}
	if cap(d.data) != len(d.data) {
		t.Errorf("room for %d bytes, want %d: it may wait for long", cap(d.data), len(d.data))
	}
	if d := b.take(); len(d.data) != 0 || d.messages != 0 {
		t.Errorf("then %+v", d)
	}
	// A write of several deliveries is limited, one of a single delivery is not.
	b.add(make([]byte, 2*maxBatch), nil)
	if b.fits([]byte("x")) {
		t.Error("a batch has no end")
	}
}
