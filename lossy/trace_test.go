package lossy_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// TestTrace checks what a trace is told about packets that pass, are late,
// are doubled, and are dropped by a model, on arrival and for want of a conn.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var got []string
		n := lossy.NewNetwork(
			lossy.DropNth(2),
			lossy.Duplicate(1),
			lossy.DropIf(func(p lossy.Packet) bool { return string(p.Payload) == "lost" }),
			lossy.Rate(8e9, 100),
			lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
				got = append(got, fmt.Sprintf("%v %v>%v %q n=%d copy=%d %v %v %q at %v", e.Direction, e.From, e.To,
					e.Payload, e.N, e.Copy, e.Verdict, e.Delay, e.Cause, e.Time.Sub(start)))
			}}),
		)
		a, b := open(t, n), open(t, n)
		b.SetReadBuffer(0) // one packet, as on a socket
		send(t, a, b, strings.Repeat("x", 10))
		send(t, a, b, "second")
		send(t, a, b, "lost")
		time.Sleep(time.Second)
		b.Close()
		send(t, a, b, "")
		time.Sleep(time.Second)
		_ = n.Stats()
		link := "10.0.0.1:49152>10.0.0.2:49153"
		want := []string{
			"outgoing " + link + ` "xxxxxxxxxx" n=1 copy=0 delayed 10ns "" at 0s`,
			"outgoing " + link + ` "xxxxxxxxxx" n=1 copy=1 delayed 20ns "" at 0s`,
			"outgoing " + link + ` "second" n=2 copy=0 dropped 0s "script" at 0s`,
			"outgoing " + link + ` "lost" n=3 copy=0 dropped 0s "script" at 0s`,
			"outgoing " + link + ` "lost" n=3 copy=1 dropped 0s "script" at 0s`,
			"incoming " + link + ` "xxxxxxxxxx" n=1 copy=1 dropped 0s "receive queue full" at 20ns`,
			"outgoing " + link + ` "" n=4 copy=0 passed 0s "" at 1s`,
			"outgoing " + link + ` "" n=4 copy=1 passed 0s "" at 1s`,
			"outgoing " + link + ` "" n=4 copy=0 dropped 0s "nobody there" at 1.000000001s`,
			"outgoing " + link + ` "" n=4 copy=1 dropped 0s "nobody there" at 1.000000001s`,
		}
		for i := range max(len(got), len(want)) {
			var g, w string
			if i < len(got) {
				g = got[i]
			}
			if i < len(want) {
				w = want[i]
			}
			if g != w {
				t.Errorf("event %d:\n got %s\nwant %s", i, g, w)
			}
		}
	})
}

// TestTraceWrap checks that a wrapped conn with a trace shows both
// directions, with and without models.
func TestTraceWrap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		n := lossy.NewNetwork()
		a, b := open(t, n), open(t, n)
		w := lossy.Wrap(b, lossy.Egress(lossy.DropNth(1)), lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
			got = append(got, fmt.Sprintf("%v %v>%v %s %v", e.Direction, e.From, e.To, e.Payload, e.Verdict))
		}}))
		send(t, a, b, "ping")
		receive(t, w)
		send(t, w, a, "pong")
		send(t, w, a, "pong")
		receive(t, a)
		want := []string{
			"incoming 10.0.0.1:49152>10.0.0.2:49153 ping passed",
			"outgoing 10.0.0.2:49153>10.0.0.1:49152 pong dropped",
			"outgoing 10.0.0.2:49153>10.0.0.1:49152 pong passed",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestLogTrace(t *testing.T) {
	log := func(level slog.Level) string {
		var buf bytes.Buffer
		h := slog.NewTextHandler(&buf, &slog.HandlerOptions{
			Level: level,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		})
		synctest.Test(t, func(t *testing.T) {
			n := lossy.NewNetwork(lossy.DropNth(1), lossy.Duplicate(1), lossy.Delay(time.Second),
				lossy.WithTrace(lossy.LogTrace(slog.New(h))))
			a, b := open(t, n), open(t, n)
			send(t, a, b, "lost")
			send(t, a, b, "late")
			time.Sleep(time.Minute)
			_ = n.Stats()
		})
		return buf.String()
	}
	const link = "from=10.0.0.1:49152 to=10.0.0.2:49153"
	drop := `level=DEBUG msg="lossy: dropped" direction=outgoing ` + link + " n=1 bytes=4 cause=script\n"
	if got := log(slog.LevelDebug); got != drop {
		t.Errorf("at debug the log is\n%s", got)
	}
	all := drop + `level=DEBUG-4 msg="lossy: delayed" direction=outgoing ` + link + " n=2 bytes=4 delay=1s\n" +
		`level=DEBUG-4 msg="lossy: delayed" direction=outgoing ` + link + " n=2 bytes=4 copy=1 delay=1s\n"
	if got := log(slog.LevelDebug - 4); got != all {
		t.Errorf("below debug the log is\n%s", got)
	}
	if got := log(slog.LevelInfo); got != "" {
		t.Errorf("at info the log is\n%s", got)
	}
}
