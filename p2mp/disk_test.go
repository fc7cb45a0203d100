package p2mp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A disk that fills up at any chunk ends the transfer with an error that says so, and
// leaves no partial file.
func TestDiskFull(t *testing.T) {
	root, dir := openRoot(t)
	for full := range 4 {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(time.Millisecond))
			var ended error
			trace := &Trace{Finished: func(e TransferEvent) { ended = e.Err }}
			p.serve(Receiver{Trace: trace}, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
				sink, err := (&ferry.Dir{Root: root}).Accept(o)
				return &fullDisk{Sink: sink, room: 100 * full}, err
			}))
			if err := p.sendFrom(p.sender, noise(1, 350)); err == nil {
				t.Error("Send did not notice")
			}
			p.stop()
			if !errors.Is(ended, syscall.ENOSPC) {
				t.Errorf("full after %d bytes: %v", 100*full, ended)
			}
			if got := names(t, dir); len(got) != 0 {
				t.Errorf("full after %d bytes: files %q are left", 100*full, got)
			}
		})
	}
}

type fullDisk struct {
	ferry.Sink
	room int
}

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, &os.PathError{Op: "write", Path: "f", Err: syscall.ENOSPC}
	}
	return d.Sink.Write(b)
}

// TestDiskFullExtended: at any chunk, the sender hears of it and nothing is left.
func TestDiskFullExtended(t *testing.T) {
	root, dir := openRoot(t)
	for full := range 12 {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 2, lossy.Delay(time.Millisecond), lossy.Loss(0.2), lossy.Seed(uint64(full)))
			var ended error
			r := Receiver{Trace: &Trace{Finished: func(e TransferEvent) { ended = e.Err }}}
			p.serve(r, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
				sink, err := (&ferry.Dir{Root: root}).Accept(o)
				return &fullDisk{Sink: sink, room: 100 * full}, err
			}))
			m := p.receivers[1]
			m.start(func(ctx context.Context) error {
				_, err := (&Receiver{}).Receive(ctx, m.conn, &m.got)
				return err
			})
			data := noise(1, 1150)
			_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: 1150, Name: "f"})
			p.stop()
			var a *AbortError
			if !errors.As(err, &a) || a.Reason != ReasonStorage || !errors.Is(ended, syscall.ENOSPC) {
				t.Errorf("full after %d bytes: the sender %v, the receiver %v", 100*full, err, ended)
			}
			if got := names(t, dir); len(got) != 0 || !bytes.Equal(m.got.Bytes(), data) {
				t.Errorf("full after %d bytes: files %q are left, the other receiver has %d bytes", 100*full, got, m.got.Len())
			}
		})
	}
}

// TestTroubleWithTheSink: if the file cannot be kept, the sender is told a useful reason, and
// no partial file remains.
func TestTroubleWithTheSink(t *testing.T) {
	root, dir := openRoot(t)
	full := &os.PathError{Op: "open", Path: "/secret", Err: syscall.ENOSPC}
	moved := &os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EROFS}
	for _, tt := range []struct {
		name                  string
		accept, write, commit error
		want                  Reason
	}{
		{name: "full when it is made", accept: full, want: ReasonStorage},
		{name: "too many open files", accept: os.NewSyscallError("openat", syscall.EMFILE), want: ReasonBusy},
		{name: "not allowed to make it", accept: &os.PathError{Op: "open", Path: "f", Err: syscall.EACCES}, want: ReasonRefused},
		{name: "refused by whim", accept: errBroken, want: ReasonRefused},
		{name: "full when it is written", write: full, want: ReasonStorage},
		{name: "refused by Write", write: errBroken, want: ReasonStorage},
		{name: "larger than was said", write: fmt.Errorf("%w: more than 5 bytes", ferry.ErrTooLarge), want: ReasonTooLarge},
		{name: "not synced", commit: &os.PathError{Op: "sync", Path: "f", Err: syscall.EIO}, want: ReasonStorage},
		{name: "not renamed", commit: moved, want: ReasonStorage},
		{name: "not allowed to rename it", commit: &os.PathError{Op: "rename", Path: "f", Err: syscall.EACCES}, want: ReasonStorage},
		{name: "taken meanwhile", commit: &os.PathError{Op: "rename", Path: "f", Err: syscall.EEXIST}, want: ReasonExists},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1, lossy.Delay(time.Millisecond))
				var ended error
				r := Receiver{Trace: &Trace{Finished: func(e TransferEvent) { ended = e.Err }}}
				p.serve(r, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
					if tt.accept != nil {
						return nil, tt.accept
					}
					sink, err := (&ferry.Dir{Root: root}).Accept(o)
					return &troubledSink{sink, tt.write, tt.commit}, err
				}))
				_, err := (&Sender{}).Send(t.Context(), p.sender, p.to, ferry.Source{R: strings.NewReader("abc"), Size: 3, Name: "f"})
				p.stop()
				if a, ok := errors.AsType[*AbortError](err); !ok || a.Reason != tt.want {
					t.Errorf("the sender: %v, want %v", err, tt.want)
				}
				if tt.want == ReasonBusy {
					if ended != nil {
						t.Errorf("a passing shortage ended a transfer: %v", ended)
					}
				} else if !errors.Is(ended, cmp.Or(tt.accept, tt.write, tt.commit)) {
					t.Errorf("the receiver: %v", ended)
				}
				if got := names(t, dir); len(got) != 0 {
					t.Errorf("files %q are left", got)
				}
			})
		})
	}
}

// A troubledSink fails with those errors that are not nil.
type troubledSink struct {
	ferry.Sink
	write, commit error
}

func (s *troubledSink) Write(b []byte) (int, error) {
	if s.write != nil {
		return 0, s.write
	}
	return s.Sink.Write(b)
}

func (s *troubledSink) Commit() error {
	if s.commit != nil {
		s.Sink.Abort(s.commit)
		return s.commit
	}
	return s.Sink.Commit()
}
