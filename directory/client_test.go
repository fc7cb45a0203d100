package directory

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestClientWaits: a directory that does not answer is named after two seconds, and in the
// error.
func TestClientWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, &Server{})
		v.shut()
		c := v.client("10.0.0.2")
		start := time.Now()
		var waited []time.Duration
		c.Trace = &Trace{Waiting: func(e Event) {
			if e.Addr != hall {
				t.Errorf("waiting for %v", e.Addr)
			}
			waited = append(waited, time.Since(start))
		}}
		short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.View(short)
		if !errors.Is(err, ferry.ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), hall.String()) {
			t.Errorf("View: %v", err)
		}
		if err := c.publish(t.Context(), httpAt("10.0.0.2"), nil, DefaultPeriod); !errors.Is(err, ferry.ErrNoAnswer) || !strings.Contains(err.Error(), hall.String()) {
			t.Errorf("Publish: %v", err)
		}
		if want := []time.Duration{2 * time.Second, 7 * time.Second}; !slices.Equal(waited, want) {
			t.Errorf("said so after %v, want %v", waited, want)
		}
		for _, conn := range v.conns {
			conn.Close()
		}
	})
}

// TestClientKeepsZone: a link-local peer is reached over the link of the directory.
func TestClientKeepsZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		at := netip.MustParseAddrPort("[fe80::1%eth7]:7777")
		conn, err := n.NewConn(at)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			(&Server{}).Serve(ctx, conn)
			close(done)
		}()
		own, err := n.NewConn(netip.MustParseAddrPort("[fe80::2%eth7]:4000"))
		if err != nil {
			t.Fatal(err)
		}
		c := &Client{Conn: own, Directory: at}
		if err := c.Publish(t.Context(), netip.MustParseAddrPort("[fe80::2%eth7]:80"), []string{"f"}); err != nil {
			t.Fatal(err)
		}
		found, err := c.Lookup(t.Context(), "f")
		if want := netip.MustParseAddrPort("[fe80::2%eth7]:80"); err != nil || !slices.Equal(found, []netip.AddrPort{want}) {
			t.Errorf("found %v, %v", found, err)
		}
		stop()
		<-done
		own.Close()
		conn.Close()
	})
}

// TestPublishManyFiles: an update that takes longer than a period, because it has many
// fragments and the round trip is long, arrives, and the peer stays registered.
func TestPublishManyFiles(t *testing.T) {
	files := map[string][]byte{}
	for i := range 900 {
		files[fmt.Sprintf("%s%d.dat", strings.Repeat("y", 50), i)] = nil
	}
	p := sharing(t, files)
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, &Server{Expiry: 8 * time.Second}, lossy.Delay(200*time.Millisecond))
		p.wake = nil
		stop := running(v, "10.0.0.2", p)
		watcher := v.client("10.0.0.9")
		time.Sleep(30 * time.Second)
		for range 60 {
			if l, err := watcher.View(t.Context()); err != nil || l.Total != 1 {
				t.Fatalf("the directory has %d peers, %v", l.Total, err)
			}
			time.Sleep(time.Second)
		}
		stop()
		v.close()
	})
}

// TestPublishTooMuch: a list that the directory cannot take is refused once, and not sent
// again before it changes.
func TestPublishTooMuch(t *testing.T) {
	files := map[string][]byte{"a": nil}
	for i := range 900 {
		files[fmt.Sprintf("%s%d.dat", strings.Repeat("x", 80), i)] = nil
	}
	p := sharing(t, files)
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, &Server{})
		p.wake = nil
		var mu sync.Mutex
		var errs []error
		p.Trace = &Trace{Announced: func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, e.Err)
		}}
		announced := func() []error {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(errs)
		}
		stop := running(v, "10.0.0.2", p)
		time.Sleep(5 * time.Minute)
		first := announced()
		if refused, ok := errors.AsType[*RefusedError](errors.Join(first...)); !ok || refused.Code != CodeTooLong || len(first) != 1 {
			t.Errorf("announced: %v", first)
		}
		for name := range files {
			if name != "a" {
				p.Unshare(name)
			}
		}
		time.Sleep(10 * time.Second)
		later := announced()
		if err := later[len(later)-1]; err != nil {
			t.Errorf("a shorter list: %v", err)
		}
		stop()
		v.close()
	})
}
