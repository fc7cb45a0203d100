package directory

import (
	"errors"
	"strings"
	"testing"
)

// TestExchangeIgnores: what a client must not take, nor answer, and then the answer,
// which it does.
func TestExchangeIgnores(t *testing.T) {
	x := newExchange(epoch, Lookup, "f", []byte("f "), new(timer), DefaultGiveUp)
	x.step(epoch, nil)
	ignores := func(when string, datagrams map[string]error) {
		t.Helper()
		for b, want := range datagrams {
			if ack, err := x.arrived(epoch, []byte(b), nil); len(ack) > 0 || !errors.Is(err, want) || x.done {
				t.Errorf("%s, %.40q was answered with %q, %v; want %v", when, b, ack, err, want)
			}
		}
	}
	takes := func(b, want string) {
		t.Helper()
		if ack, err := x.arrived(epoch, []byte(b), nil); err != nil || string(ack) != want {
			t.Errorf("%q was answered with %q, %v; want %q", b, ack, err, want)
		}
	}
	ignores("at first", map[string]error{
		"":                         ErrMalformed,
		"2 f  1 1":                 ErrUnexpected, // requests, its own included
		"1 10.0.0.2 80  1 1":       ErrUnexpected,
		"2 g  2 1":                 ErrUnexpected, // the acknowledgement of another
		"2 f  3 2":                 ErrUnexpected,
		"5  1 1":                   ErrUnexpected,
		"6 tok f 10.0.0.2 80  2 2": ErrUnexpected, // before the first
		"6 tok  2 1":               ErrUnexpected, // an answer's acknowledgement
		"6 " + strings.Repeat("x", readSize) + "  1 2": ErrTooLong,
	})
	takes("2 f  2 1", "")
	takes("6 tok  1 2", "6 tok  2 1")
	takes("6 tok  1 2", "6 tok  2 1")
	ignores("after the token", map[string]error{
		"6 kot f 10.0.0.9 80  2 2":   ErrUnexpected,
		"8 tok f 10.0.0.9 80  2 2":   ErrUnexpected,
		"6 tok f 10.0.0.9 80  2 3":   ErrUnexpected,
		"6 tok f 10.0.0.9 80  3 3":   ErrUnexpected,
		"6 tok f%2 10.0.0.9 80  2 2": ErrMalformed,
	})
	takes("6 tok f 10.0.0.2 80  2 2", "6 tok f 10.0.0.2 80  3 2")
	if found, err := parseFound(x.answer[1:]); !x.done || x.err != nil || err != nil || len(found) != 1 || found[0] != httpAt("10.0.0.2") {
		t.Errorf("found %v, %v, %v", found, x.err, err)
	}
}

// TestExchangeMeasures: a fragment that was sent twice is not measured (Karn).
func TestExchangeMeasures(t *testing.T) {
	for again, measured := range map[bool]bool{false: true, true: false} {
		var tm timer
		x := newExchange(epoch, Exit, "", []byte("10.0.0.2 80 "), &tm, DefaultGiveUp)
		out, wake := x.step(epoch, nil)
		if again {
			x.step(wake, nil)
		}
		if _, err := x.arrived(wake.Add(1), []byte("3 10.0.0.2 80  2 1"), nil); err != nil || !x.done {
			t.Fatalf("%q: %v", out, err)
		}
		if tm.measured != measured || x.again > 0 != again {
			t.Errorf("sent again: %v, measured: %v", again, tm.measured)
		}
	}
}
