package relay

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestAdmit: a client that is refused is told why, and has no ID.
func TestAdmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reason := errors.New("not\ntoday")
		refuse := true
		h := newHall(t, &Server{Admit: func(c Client) error {
			if c.ID != 0 {
				t.Errorf("the client has ID %d already", c.ID)
			}
			if refuse {
				return reason
			}
			return nil
		}})
		defer h.close()
		h.enter().expect("* not today\nEOF")
		refuse = false
		a, b := h.enter(), h.enter()
		a.say("hello")
		b.expect("1: hello\n")
		if s := h.server.Stats(); s.Refused != 1 || s.Joined != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// TestFilter: it changes and drops messages, but not exit, and cannot forge a line.
func TestFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{Framing: Line, Filter: func(from Client, text []byte) ([]byte, bool) {
			if from.ID == 1 && bytes.Contains(text, []byte("spam")) {
				return nil, false
			}
			return append(bytes.ToUpper(text), "\n2: forged"...), !bytes.Equal(text, []byte(exit))
		}})
		defer h.close()
		a, b := h.enter(), h.enter()
		a.say("hello\nspam\nbye\n")
		b.expect("1: HELLO 2: forged\n1: BYE 2: forged\n")
		b.say("spam\n")
		a.expect("2: SPAM 2: forged\n")
		a.say("exit\n")
		a.expect("EOF")
	})
}

func TestSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{})
		defer h.close()
		h.server.Say("nobody hears this")
		a, b := h.enter(), h.enter()
		a.say("hello")
		h.server.Say("closing soon\n1: forged")
		a.expect("* closing soon 1: forged\n")
		b.expect("1: hello\n* closing soon 1: forged\n")
	})
}

// TestSayToSlowClient: it takes no longer than SlowTimeout.
func TestSayToSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{Queue: 10})
		defer h.close()
		h.enterDeaf()
		start := time.Now()
		h.server.Say("hello")
		h.server.Say("hello")
		synctest.Wait()
		if took := time.Since(start); took != DefaultSlowTimeout || len(h.server.Clients()) != 0 {
			t.Errorf("it took %v, want %v; %v are left", took, DefaultSlowTimeout, h.server.Clients())
		}
	})
}

func TestKick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left departures
		h := newHall(t, &Server{Notices: true, Trace: left.trace()})
		defer h.close()
		a, b, c := h.enter(), h.enter(), h.enter()
		for _, g := range []*guest{a, b, c} {
			g.heard()
		}
		ids := func() (all []uint64) {
			for _, c := range h.server.Clients() {
				all = append(all, c.ID)
			}
			return all
		}
		if got := ids(); !slices.Equal(got, []uint64{1, 2, 3}) {
			t.Errorf("clients %v", got)
		}
		if !h.server.Kick(2) || h.server.Kick(7) {
			t.Error("Kick does not know who is there")
		}
		b.expect("* kicked\nEOF")
		a.expect("* 2 left\n")
		c.expect("* 2 left\n")
		if got := ids(); !slices.Equal(got, []uint64{1, 3}) || h.server.Kick(2) {
			t.Errorf("clients %v", got)
		}
		if all := left.all(); len(all) != 1 || !errors.Is(all[0], ErrKicked) {
			t.Errorf("left with %v, want ErrKicked", all)
		}
	})
}

// TestSlowTimeoutNegative: a client whose queue is full is disconnected at once.
func TestSlowTimeoutNegative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left departures
		h := newHall(t, &Server{Queue: 100, SlowTimeout: -1, Trace: left.trace()})
		defer h.close()
		a, b := h.enter(), h.enter()
		h.enterDeaf()
		start := time.Now()
		for range 3 {
			a.say("0123456789")
		}
		b.expect("1: 0123456789\n1: 0123456789\n1: 0123456789\n")
		if all := left.all(); len(all) != 1 || !errors.Is(all[0], ErrSlow) || time.Since(start) != 0 {
			t.Errorf("left with %v after %v, want ErrSlow at once", all, time.Since(start))
		}
	})
}
