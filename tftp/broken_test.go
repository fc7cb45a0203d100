package tftp

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// brokenHandler does all that a Handler should not.
type brokenHandler struct{ gate chan struct{} }

func (h brokenHandler) Open(ctx context.Context, r *Request) (Source, error) {
	switch r.Name {
	case "panics":
		panic("at /home/secret")
	case "blocks":
		<-h.gate
	case "fails":
		return Source{R: &failingReader{1000, errBroken}, Size: -1}, nil
	case "nothing":
		return Source{}, nil
	case "panics later":
		return Source{R: panicReader{}, Size: -1}, nil
	case "hidden":
		return Source{}, errBroken
	}
	return Source{R: strings.NewReader("hello"), Size: 5}, nil
}

func (h brokenHandler) Create(_ context.Context, r *Request) (Sink, error) {
	return &brokenSink{name: r.Name}, nil
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("at /home/secret") }

type brokenSink struct{ name string }

func (s *brokenSink) Write(b []byte) (int, error) {
	switch s.name {
	case "full":
		return 0, &fs.PathError{Op: "write", Path: "/home/secret", Err: syscall.ENOSPC}
	case "panics":
		panic("at /home/secret")
	case "short":
		return 0, nil
	}
	return len(b), nil
}

func (s *brokenSink) Commit() error {
	if s.name == "late" {
		return fs.ErrExist
	}
	return nil
}

func (s *brokenSink) Abort(error) {}

// TestBrokenHandlers: the client gets the right code and nothing about the machine, and
// the server serves on.
func TestBrokenHandlers(t *testing.T) {
	gate := make(chan struct{})
	synctest.Test(t, func(t *testing.T) {
		gate = make(chan struct{})
		p := newStage(t)
		p.server.Handler = brokenHandler{gate}
		p.start()
		check := func(err error, code Code) {
			t.Helper()
			var said *Error
			if !errors.As(err, &said) || said.Code != code || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want code %d", err, code)
			}
		}
		for _, name := range []string{"panics", "fails", "nothing", "panics later", "hidden"} {
			_, _, err := p.get(Client{}, name)
			check(err, CodeUndefined)
		}
		for name, code := range map[string]Code{"full": CodeDiskFull, "panics": 0, "short": 0, "late": CodeExists} {
			_, err := p.put(Client{}, name, noise(1, 5000))
			check(err, code)
		}
		if _, _, err := p.get(Client{GiveUp: time.Second}, "blocks"); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("a handler that blocks: %v", err)
		}
		if got, _, err := p.get(Client{}, "fine"); string(got) != "hello" || err != nil {
			t.Errorf("afterwards: %q, %v", got, err)
		}
		close(gate)
		p.end()
	})
}
