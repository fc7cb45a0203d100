package sealed

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// at is the time of most tests.
var at = time.Unix(1_800_000_000, 500_000_000)

// A channel is a sealer and an opener with clocks.
type channel struct {
	t testing.TB
	*sealer
	*opener
	sends, receives time.Time // their clocks
}

func newChannel(t testing.TB, change ...func(*Config)) *channel {
	t.Helper()
	c := &Config{Keys: []Key{NewKey()}, Purpose: "test"}
	for _, f := range change {
		f(c)
	}
	keys, first, err := c.derivations()
	if err != nil {
		t.Fatal(err)
	}
	senders := defaultMaxSenders
	if c.MaxSenders > 0 {
		senders = c.MaxSenders
	}
	skew := defaultMaxSkew
	if c.MaxSkew != 0 {
		skew = c.MaxSkew
	}
	return &channel{
		t: t, sealer: &sealer{key: first, random: randomBytes},
		opener: &opener{keys: keys, senders: newSenders(senders, skew)}, sends: at, receives: at,
	}
}

// sealed seals a payload at the sender's time.
func (c *channel) sealed(payload string) []byte {
	c.t.Helper()
	if _, _, err := c.begin(c.sends); err != nil {
		c.t.Fatal(err)
	}
	return c.seal(nil, []byte(payload))
}

// opens opens a packet at the receiver's time.
func (c *channel) opens(packet []byte) Reason {
	c.t.Helper()
	_, reason, _ := c.open(nil, packet, c.receives)
	return reason
}

func (c *channel) want(what string, packet []byte, want Reason) {
	c.t.Helper()
	if got := c.opens(packet); got != want {
		c.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestChangedPackets flips each bit of a packet, and cuts it off everywhere.
func TestChangedPackets(t *testing.T) {
	c := newChannel(t)
	packet := c.sealed("a payload")
	for known := range 2 { // before and after the sender id is known
		for bit := range 8 * len(packet) {
			changed := bytes.Clone(packet)
			changed[bit/8] ^= 0x80 >> (bit % 8)
			if c.opens(changed) == 0 {
				t.Errorf("with bit %d flipped it opens", bit)
			}
		}
		for n := range packet {
			if c.opens(packet[:n]) == 0 {
				t.Errorf("cut off to %d bytes it opens", n)
			}
			if n > 0 && c.opens(packet[n:]) == 0 {
				t.Errorf("without the first %d bytes it opens", n)
			}
		}
		if known == 0 {
			if len(c.senders.byKey) != 0 {
				t.Error("packets that do not open make state")
			}
			c.want("the packet", packet, 0)
			packet = c.sealed("another")
		}
	}
	c.want("the other packet", packet, 0)
}

// TestReasons has each reason.
func TestReasons(t *testing.T) {
	k := NewKey()
	c := newChannel(t, func(c *Config) { c.Keys = []Key{k} })
	c.want("plain text", []byte("hello, this is a packet of forty bytes or more"), Malformed)
	c.want("nothing", nil, Malformed)
	c.want("another key", newChannel(t).sealed("x"), UnknownKey)
	c.want("another purpose", newChannel(t, func(c *Config) { c.Keys, c.Purpose = []Key{k}, "tftp" }).sealed("x"), Forged)
	packet := c.sealed("x")
	c.want("the first time", packet, 0)
	c.want("the second time", packet, Replayed)
	other := c.sealed("y")
	other[1] = 2
	c.want("version 2", other, Malformed)
}

// TestTimes has sender ids from the past and the future.
func TestTimes(t *testing.T) {
	for ahead, want := range map[time.Duration]Reason{
		0: 0, 120 * time.Second: 0, -120 * time.Second: 0,
		121 * time.Second: Expired, -121 * time.Second: Expired, 24 * time.Hour: Expired, -24 * time.Hour: Expired,
	} {
		c := newChannel(t)
		c.sends = at.Add(ahead)
		_, reason, skew := c.open(nil, c.sealed("x"), at)
		if reason != want {
			t.Errorf("a clock that is %v ahead: %v, want %v", ahead, reason, want)
		}
		if want == Expired && skew != ahead {
			t.Errorf("a clock that is %v ahead is said to be %v ahead", ahead, skew)
		}
		if _, _, skew := c.open(nil, c.sealed("x"), at); skew != 0 {
			t.Error("a second packet in a second is authenticated")
		}
		c = newChannel(t, func(c *Config) { c.MaxSkew = -1 })
		c.sends = at.Add(ahead)
		c.want("without a bound", c.sealed("x"), 0)
	}
	// An invented id tells nothing about clocks.
	c := newChannel(t)
	c.sends = at.Add(time.Hour)
	packet := c.sealed("x")
	packet[30] ^= 1
	if _, reason, skew := c.open(nil, packet, at); reason != Expired || skew != 0 {
		t.Errorf("an invented id: %v, %v", reason, skew)
	}
}

// TestIdLife: an id that is known is accepted for 180 s after it was drawn, and never
// again; its sender draws another after 60 s, even if it was idle.
func TestIdLife(t *testing.T) {
	c := newChannel(t)
	first := c.sealed("first")
	c.want("first", first, 0)
	var held [][]byte
	for range 4 {
		held = append(held, c.sealed("held"))
	}
	c.receives = at.Add(179 * time.Second)
	c.want("after 179 s", held[0], 0)
	c.receives = at.Add(180 * time.Second)
	c.want("after 180 s", held[1], 0)
	c.receives = at.Add(181 * time.Second)
	c.want("after 181 s", held[2], Expired)
	if len(c.senders.byKey) != 0 {
		t.Error("the window is kept")
	}
	c.sends = at.Add(59 * time.Second)
	if id := c.sealed("x")[4:16]; !bytes.Equal(id, first[4:16]) {
		t.Error("another id after 59 s")
	}
	c.sends = at.Add(60 * time.Second)
	next := c.sealed("x")
	if bytes.Equal(next[4:16], first[4:16]) || binary.BigEndian.Uint32(next[16:]) != 1 {
		t.Error("the same id after 60 s, or a counter that goes on")
	}
	// The receiver's clock is set back: a forgotten id stays refused.
	c.receives = at
	c.want("with the clock set back", held[3], Expired)
	c.receives = at.Add(-24 * time.Hour)
	c.want("with the clock set back by a day", held[3], Expired)
}

// TestClockSetBack: a sender whose clock is set back by a day draws another id, and a
// receiver goes on with the ids that it knows.
func TestClockSetBack(t *testing.T) {
	c := newChannel(t)
	first := c.sealed("first")
	c.want("first", first, 0)
	c.sends = at.Add(-24 * time.Hour)
	if id := c.sealed("x")[4:16]; bytes.Equal(id, first[4:16]) {
		t.Error("the id stays when the clock is set back by a day")
	}
	c = newChannel(t)
	c.want("first", c.sealed("first"), 0)
	c.receives = at.Add(-24 * time.Hour)
	c.want("by a known id, after the clock was set back", c.sealed("x"), 0)
}

// TestCounterEnds: the sender draws another id before the counter reaches its bound.
func TestCounterEnds(t *testing.T) {
	c := newChannel(t)
	first := c.sealed("x")
	c.header.Counter = maxPackets - 1
	last, next := c.sealed("last"), c.sealed("next")
	if n := binary.BigEndian.Uint32(last[16:]); n != maxPackets || !bytes.Equal(first[4:16], last[4:16]) {
		t.Errorf("the last packet has number %d", n)
	}
	if n := binary.BigEndian.Uint32(next[16:]); n != 1 || bytes.Equal(first[4:16], next[4:16]) {
		t.Errorf("the packet after the last has number %d", n)
	}
	for _, p := range [][]byte{first, last, next} {
		c.want("a packet", p, 0)
	}
}

// TestWindow: none is accepted twice, none within the window is refused, and none beyond it
// is accepted.
func TestWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var w window
	seen := make(map[uint32]bool)
	newest := uint32(0)
	for range 1_000_000 {
		var n uint32
		switch rng.IntN(10) {
		case 0:
			n = newest + 1 + rng.Uint32N(20000) // jumps over all of the window
			if rng.IntN(50) > 0 {
				n = newest + 1 + rng.Uint32N(100)
			}
		default:
			n = newest - min(newest, rng.Uint32N(2*windowSize))
		}
		if n == 0 {
			continue
		}
		want := !seen[n] && (n > newest || newest-n < windowSize)
		if got := w.fresh(n); got != want {
			t.Fatalf("counter %d with newest %d: fresh is %v, want %v", n, newest, got, want)
		}
		if want {
			w.add(n)
			seen[n] = true
			newest = max(newest, n)
		}
	}
}

// TestRotation: three steps, in which packets go both ways all the time.
func TestRotation(t *testing.T) {
	old, young := NewKey(), NewKey()
	hosts := [][]Key{{old}, {old, young}, {young, old}, {young}}
	for i, a := range hosts {
		for j, b := range hosts {
			from := newChannel(t, func(c *Config) { c.Keys = a })
			to := newChannel(t, func(c *Config) { c.Keys = b })
			reason := to.opens(from.sealed("x"))
			if neighbours := i-j <= 1 && j-i <= 1; neighbours && reason != 0 {
				t.Errorf("from a host in step %d to one in step %d: %v", i, j, reason)
			}
		}
	}
	if reason := newChannel(t, func(c *Config) { c.Keys = hosts[3] }).opens(newChannel(t, func(c *Config) { c.Keys = hosts[0] }).sealed("x")); reason != UnknownKey {
		t.Errorf("the old key: %v", reason)
	}
}

// TestKeyIDsCollide: keys with one id are all tried, at most four.
func TestKeyIDsCollide(t *testing.T) {
	var keys []Key
	by := make(map[keyID][]Key)
	for len(keys) < 2 { // about 300 tries
		k := NewKey()
		d, _ := k.derivation("test")
		by[d.id] = append(by[d.id], k)
		keys = by[d.id]
	}
	c := newChannel(t, func(c *Config) { c.Keys = keys })
	for _, k := range keys {
		c.want("one of two keys with one id", newChannel(t, func(c *Config) { c.Keys = []Key{k} }).sealed("x"), 0)
	}
}

// TestSameState: two conns whose state is the same, as after a virtual machine was cloned,
// use different nonces.
func TestSameState(t *testing.T) {
	c := newChannel(t)
	c.sealed("before the snapshot")
	twin := *c.sealer
	other := &channel{t: t, sealer: &twin, sends: at}
	a, b := c.sealed("one"), other.sealed("two")
	if !bytes.Equal(a[:20], b[:20]) {
		t.Fatal("the two are not in the same state")
	}
	if bytes.Equal(a[20:24], b[20:24]) {
		t.Error("the two have the same salt")
	}
	c.sends, other.sends = at.Add(time.Minute), at.Add(time.Minute)
	if a, b := c.sealed("one"), other.sealed("two"); bytes.Equal(a[4:16], b[4:16]) {
		t.Error("after a minute the two still have the same id")
	}
}

// TestEviction: the least recently used id makes room, and is refused from then on.
func TestEviction(t *testing.T) {
	c := newChannel(t, func(c *Config) { c.MaxSenders = 10 })
	var first [2][]byte
	for i := range 11 {
		c.aead = nil // another id
		packet := c.sealed(fmt.Sprint(i))
		if i == 0 {
			first = [2][]byte{packet, c.sealed("later")}
		}
		c.want("a new id", packet, 0)
	}
	c.want("the id that made room", first[0], Replayed)
	c.want("the id that made room", first[1], Replayed)
	if n := len(c.senders.byKey); n != 10 {
		t.Errorf("%d ids are remembered", n)
	}
	set := newIDSet(5)
	for i := range 100 {
		set.add(senderID{byte(i)})
	}
	if len(set.ids) != 5 || set.order.Len() != 5 {
		t.Errorf("a set of 5 has %d", len(set.ids))
	}
}

// TestForgedFlood: packets of unknown ids and other garbage leave no state.
func TestForgedFlood(t *testing.T) {
	c := newChannel(t)
	c.want("an honest packet", c.sealed("x"), 0)
	honest := c.sealed("y")
	rng := rand.New(rand.NewPCG(3, 3))
	packet := bytes.Clone(honest)
	n := 100_000
	if flag.Lookup("long").Value.String() == "true" {
		n = 1_000_000
	}
	before := heap()
	for range n {
		binary.BigEndian.PutUint64(packet[8:], rng.Uint64())
		binary.BigEndian.PutUint32(packet[16:], rng.Uint32()|1)
		if c.opens(packet) == 0 {
			t.Fatal("a forged packet opens")
		}
	}
	if len(c.senders.byKey) != 1 || len(c.senders.evicted.ids) != 0 || c.senders.used.Len() != 1 {
		t.Errorf("%d ids are remembered, %d evicted", len(c.senders.byKey), len(c.senders.evicted.ids))
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	c.want("the honest one", honest, 0)
}

// heap returns the size of what is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestRestart: a receiver that was restarted opens a young replay once, and an old one
// never.
func TestRestart(t *testing.T) {
	c := newChannel(t)
	packet := c.sealed("x")
	c.want("at first", packet, 0)
	restart := func() {
		c.opener = &opener{keys: c.keys, senders: newSenders(defaultMaxSenders, defaultMaxSkew)}
	}
	restart()
	c.receives = at.Add(2 * time.Minute)
	c.want("after a restart", packet, 0)
	c.want("once more", packet, Replayed)
	restart()
	c.receives = at.Add(2*time.Minute + time.Second)
	c.want("after a restart, when it is old", packet, Expired)
	// A sender that was restarted has another id.
	before := c.header.Sender
	c.sealer = &sealer{key: c.sealer.key, random: randomBytes}
	c.sends = c.receives
	c.want("by a sender that was restarted", c.sealed("x"), 0)
	if c.header.Sender == before {
		t.Error("a restart does not change the id")
	}
}

// FuzzOpen: no packet but those that were sealed opens, and none panics.
func FuzzOpen(f *testing.F) {
	k := newKey([keySize]byte{1, 2, 3})
	d, _ := k.derivation("test")
	good := func() []byte {
		s := &sealer{key: d, random: func(b []byte) { clear(b) }}
		s.begin(at)
		return s.seal(nil, []byte("payload"))
	}()
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte{magic, version})
	f.Fuzz(func(t *testing.T, packet []byte) {
		c := newChannel(t, func(c *Config) { c.Keys = []Key{k} })
		before := bytes.Clone(packet)
		payload, reason, _ := c.open(make([]byte, 0, 10), packet, at)
		if (reason == 0) != bytes.Equal(packet, good) {
			t.Fatalf("%v: %q", reason, payload)
		}
		if !bytes.Equal(packet, before) {
			t.Fatal("the packet was changed")
		}
		if reason == 0 && c.opens(packet) != Replayed {
			t.Fatal("it opens twice")
		}
	})
}
