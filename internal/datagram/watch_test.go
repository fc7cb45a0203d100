package datagram

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errStop = errors.New("stop")

func TestCancelWakesRead(t *testing.T) {
	for _, deadline := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			pc := newFakeConn()
			c := Open(ctx, pc, Config{})
			defer c.Release()
			start := time.Now()
			time.AfterFunc(time.Second, func() { cancel(errStop) })
			var until time.Time
			if deadline > 0 {
				until = start.Add(deadline)
			}
			if _, err := c.Read(until); err != errStop {
				t.Errorf("Read: %v, want the cause", err)
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("Read took %v", took)
			}
			// It stays so, whatever has arrived.
			pc.arrive(from(peer, "data"))
			if pkts, err := c.Read(time.Time{}); err != errStop || pkts != nil {
				t.Errorf("Read = %v, %v", pkts, err)
			}
		})
	}
}

func TestCancelWakesReadOfSocket(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			conn := loopback(t, "udp4", "127.0.0.1:0")
			c := way(ctx, conn, Config{})
			defer c.Release()
			go cancel(errStop)
			if _, err := c.Read(time.Time{}); err != errStop {
				t.Errorf("Read: %v, want the cause", err)
			}
			// It stays so, whatever has arrived.
			if _, err := loopback(t, "udp4", "127.0.0.1:0").WriteTo([]byte("data"), conn.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			for _, deadline := range []time.Time{{}, past, time.Now().Add(time.Hour)} {
				if pkts, err := c.Read(deadline); err != errStop || pkts != nil {
					t.Errorf("Read = %v, %v", pkts, err)
				}
			}
		})
	}
}

func TestContextDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := Open(ctx, newFakeConn(), Config{})
		defer c.Release()
		if _, err := c.Read(time.Time{}); err != context.DeadlineExceeded {
			t.Errorf("Read: %v", err)
		}
	})
}

// The context ends at any moment while a loop sets one deadline after another. Where a
// deadline could undo the cancellation, a Read would wait for a minute some time; with
// real time that would be the test's timeout.
func TestCancelRacesDeadlines(t *testing.T) {
	for range 300 {
		ctx, cancel := context.WithCancelCause(t.Context())
		pc := newFakeConn()
		c := Open(ctx, pc, Config{})
		for range 20 {
			pc.arrive(from(peer, "data"))
		}
		go cancel(errStop)
		var err error
		for i := 0; err == nil; i++ {
			// Ever earlier, so that each is set.
			_, err = c.Read(time.Now().Add(time.Hour - time.Duration(i)*time.Second))
		}
		if err != errStop {
			t.Fatalf("Read: %v", err)
		}
		c.Release()
		if !pc.deadline.IsZero() || !pc.writeDeadline.IsZero() {
			t.Fatalf("deadlines after Release: %v, %v", pc.deadline, pc.writeDeadline)
		}
	}
}

// A deadline that is set while the context ends loses against it.
func TestDeadlineAfterCancel(t *testing.T) {
	pc := newFakeConn()
	var w watch
	w.start(t.Context(), pc)
	w.cancel(errStop)
	if err := w.arm(time.Now().Add(time.Hour)); err != errStop {
		t.Errorf("arm: %v", err)
	}
	if pc.deadline != past {
		t.Errorf("deadline is %v", pc.deadline)
	}
	w.stop()
	if !pc.deadline.IsZero() {
		t.Errorf("deadline after stop is %v", pc.deadline)
	}
}

func TestRelease(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			in, out := loopback(t, "udp4", "127.0.0.1:0"), loopback(t, "udp4", "127.0.0.1:0")
			c := way(ctx, in, Config{})
			if _, err := c.Read(time.Now()); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			cancel()
			c.Release()
			c.Release()

			// The conn is as before: it reads, and writes.
			if _, err := out.WriteTo([]byte("data"), in.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			if _, _, err := in.ReadFrom(make([]byte, 10)); err != nil {
				t.Errorf("read after Release: %v", err)
			}
			if _, err := in.WriteTo([]byte("data"), out.LocalAddr()); err != nil {
				t.Errorf("write after Release: %v", err)
			}
		})
	}
}

// Release returns when the end of the context has been dealt with, and not before: a
// deadline set afterwards would be one in the past on a conn that is somebody else's
// again.
func TestReleaseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		pc := &gatedConn{newFakeConn(), make(chan struct{})}
		c := Open(ctx, pc, Config{})
		cancel()
		synctest.Wait() // its goroutine is on the way to set the deadline
		released := false
		go func() {
			c.Release()
			released = true
		}()
		synctest.Wait()
		if released {
			t.Error("Release did not wait")
		}
		close(pc.gate)
		synctest.Wait()
		if !released || !pc.deadline.IsZero() {
			t.Errorf("released: %v; deadline is %v", released, pc.deadline)
		}
	})
}

// A gatedConn takes its time to set a deadline in the past.
type gatedConn struct {
	*fakeConn
	gate chan struct{}
}

func (c *gatedConn) SetReadDeadline(t time.Time) error {
	if t.Equal(past) {
		<-c.gate
	}
	return c.fakeConn.SetReadDeadline(t)
}

// The write deadline stays as it was, unless it had to be set.
func TestWriteDeadlineKept(t *testing.T) {
	pc := newFakeConn()
	own := time.Now().Add(time.Hour)
	if err := pc.SetWriteDeadline(own); err != nil {
		t.Fatal(err)
	}
	Open(t.Context(), pc, Config{}).Release()
	if !pc.writeDeadline.Equal(own) {
		t.Errorf("write deadline is %v", pc.writeDeadline)
	}
}

// A context that ends after Release is none of the conn's business.
func TestCancelAfterRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		pc := newFakeConn()
		c := Open(ctx, pc, Config{})
		c.Release()
		cancel()
		synctest.Wait()
		if !pc.deadline.IsZero() {
			t.Errorf("deadline is %v", pc.deadline)
		}
	})
}

// Open forgets a deadline that somebody left.
func TestOpenClearsDeadline(t *testing.T) {
	pc := newFakeConn(from(peer, "data"))
	pc.deadline = past
	c := Open(t.Context(), pc, Config{})
	defer c.Release()
	if _, err := c.Read(time.Time{}); err != nil {
		t.Errorf("Read: %v", err)
	}
}

func TestClosed(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			conn := loopback(t, "udp4", "127.0.0.1:0")
			to := addrOf(conn)
			c := way(t.Context(), conn, Config{})
			defer c.Release()
			go conn.Close()
			if _, err := c.Read(time.Time{}); !errors.Is(err, net.ErrClosed) || !Fatal(err) {
				t.Errorf("Read: %v", err)
			}
			if _, err := c.Read(time.Now().Add(-time.Second)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Read, late: %v", err)
			}
			if n, err := c.Write([]Packet{{Addr: to}}); n != 0 || !errors.Is(err, net.ErrClosed) || !Fatal(err) {
				t.Errorf("Write = %d, %v", n, err)
			}
		})
	}
}

// A Write that cannot go on ends soon after the context.
func TestWriteEndsAfterContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		pc := newFakeConn()
		c := Open(ctx, pc, Config{})
		// With room it works, ended or not.
		hello := []Packet{{Data: []byte("goodbye"), Addr: addrPort(udpAddr(peer))}}
		cancel()
		synctest.Wait()
		if n, err := c.Write(hello); n != 1 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
		pc.full = true
		start := time.Now()
		if n, err := c.Write(hello); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || Fatal(err) {
			t.Errorf("Write = %d, %v", n, err)
		}
		if took := time.Since(start); took != writeGrace {
			t.Errorf("Write took %v", took)
		}
		c.Release()
		if !pc.writeDeadline.IsZero() {
			t.Errorf("write deadline after Release: %v", pc.writeDeadline)
		}
	})
}

// TestCauseIsNoDeadline: a cause that is another conn's timeout does not pass for one of this conn.
func TestCauseIsNoDeadline(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("elsewhere: %w", os.ErrDeadlineExceeded))
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	c := Open(ctx, pc, Config{})
	defer c.Release()
	_, err = c.Read(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("Read = %v, want the context's error, and the cause in its text", err)
	}
}
