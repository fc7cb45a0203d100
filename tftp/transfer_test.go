package tftp

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A wire is a link that fails for some packets.
type wire struct {
	repeater
	fails map[int]error // by the number of the write, from 1
	tried int
	took  []string
}

func (w *wire) Write(pkts []datagram.Packet) (int, error) {
	for i, p := range pkts {
		w.tried++
		if err := w.fails[w.tried]; err != nil {
			return i, err
		}
		w.took = append(w.took, string(p.Data))
	}
	return len(pkts), nil
}

// TestPacketsThatCannotLeave: one counts as lost, and those behind it leave; one that
// is too long ends the transfer, for it never will.
func TestPacketsThatCannotLeave(t *testing.T) {
	for _, tt := range []struct {
		fails map[int]error
		took  string
		lost  int
		want  error
	}{
		{nil, "abcd", 0, nil},
		{map[int]error{2: syscall.ENETUNREACH}, "acd", 1, nil},
		{map[int]error{1: syscall.ENETUNREACH, 2: syscall.EPERM, 4: syscall.EPERM}, "c", 3, nil},
		{map[int]error{2: syscall.EMSGSIZE}, "acd", 0, syscall.EMSGSIZE},
		{map[int]error{3: net.ErrClosed}, "ab", 0, net.ErrClosed},
	} {
		lost := 0
		w := &wire{fails: tt.fails}
		c := &transfer{ctx: t.Context(), link: w, peer: repeaterAddr, trace: Trace{WriteFailed: func(PacketEvent) { lost++ }}}
		for _, s := range "abcd" {
			c.queue([]byte(string(s)))
		}
		if err := c.flush(); !errors.Is(err, tt.want) {
			t.Errorf("%v: %v", tt.fails, err)
		}
		if got := strings.Join(w.took, ""); got != tt.took || lost != tt.lost {
			t.Errorf("%v: %q left and %d were lost, want %q and %d", tt.fails, got, lost, tt.took, tt.lost)
		}
	}
}

// TestWhyNothingLeft: silence that this side's own system caused says so, until a packet
// leaves.
func TestWhyNothingLeft(t *testing.T) {
	w := &wire{fails: map[int]error{1: syscall.ENETUNREACH}}
	c := &transfer{ctx: t.Context(), link: w, peer: repeaterAddr}
	for _, want := range []bool{true, false} {
		c.queue([]byte("a"))
		for range 2 { // the second time with nothing to say
			if err := c.flush(); err != nil {
				t.Fatal(err)
			}
		}
		for _, c.answered = range []bool{false, true} {
			err := c.checkTimeout(time.Now())
			if errors.Is(err, syscall.ENETUNREACH) != want || !errors.Is(err, ferry.ErrNoAnswer) && !errors.Is(err, ferry.ErrSilent) {
				t.Errorf("answered: %v: %v", c.answered, err)
			}
		}
	}
}
