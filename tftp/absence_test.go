package tftp

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestAbsence: only time that passed away from the socket is taken off a round trip.
func TestAbsence(t *testing.T) {
	start := time.Unix(1, 0)
	at := func(n int) time.Time { return start.Add(time.Duration(n) * ms) }
	for name, tt := range map[string]struct {
		away      absence
		now       int // the packet was sent at 0 ms
		srtt, was time.Duration
	}{
		"never away":               {absence{}, 50, 10 * ms, 50 * ms},
		"away for no time":         {absence{at(49), at(49)}, 50, 10 * ms, 50 * ms},
		"away, then no wait":       {absence{at(10), at(50)}, 50, 10 * ms, 10 * ms},
		"away, then a long wait":   {absence{at(10), at(20)}, 50, 10 * ms, 50 * ms},
		"away for a part":          {absence{at(45), at(50)}, 50, 10 * ms, 45 * ms},
		"away before it was sent":  {absence{at(-40), at(20)}, 20, 10 * ms, 10 * ms},
		"shorter than the average": {absence{at(1), at(5)}, 5, 10 * ms, 5 * ms},
		"nothing measured so far":  {absence{at(10), at(50)}, 50, 0, 50 * ms},
	} {
		if got := tt.away.roundTrip(at(0), at(tt.now), tt.srtt); got != tt.was {
			t.Errorf("%s: %v, want %v", name, got, tt.was)
		}
	}
}

// TestRoundTripGrows: the estimates of both sides follow a round trip that becomes longer, also
// if the sender reads ahead.
func TestRoundTripGrows(t *testing.T) {
	data := noise(1, 400*512+1)
	for _, write := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newTestNet(t, lossy.Delay(5*ms))
			p.files.files["file"] = data
			var server Report
			p.server.Trace = &Trace{Finished: func(e TransferEvent) { server = e.Report }}
			blocks := 0
			slower := func(PacketEvent) {
				if blocks++; blocks == 100 {
					p.net.SetModels(lossy.Delay(40 * ms))
				}
			}
			if write {
				p.server.Trace.Received = slower
			}
			p.start()
			conn := p.client()
			c := Client{BlockSize: 512, WindowSize: -1}
			var r Report
			var err error
			if write {
				r, err = c.Put(t.Context(), conn, p.addr, "new", ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
			} else {
				c.Trace = &Trace{Received: slower}
				r, err = c.Get(t.Context(), conn, p.addr, "file", ferry.To(io.Discard))
			}
			conn.Close()
			p.end()
			if err != nil || r.RTT < 75*ms || server.RTT < 75*ms {
				t.Errorf("write %v: RTT %v at the client and %v at the server, want 80 ms; %v", write, r.RTT, server.RTT, err)
			}
		})
	}
}
