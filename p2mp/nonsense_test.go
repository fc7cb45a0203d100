package p2mp

import (
	"bytes"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestSenderIgnoresNonsense: reports that cannot be true, from strangers and of other
// sessions.
func TestSenderIgnoresNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		stranger := p.listen()
		defer stranger.Close()
		m := p.receivers[0]
		var session uint64
		var v *sending
		injected := false
		bad := make(map[error]int)
		s := Sender{MSS: 100, Window: 50, Trace: &Trace{Ignored: func(e PacketEvent) { bad[e.Err]++ }, Acked: func(e PacketEvent) {
			if e.Seq < 20 || injected {
				return
			}
			injected = true
			post := func(from *lossy.Conn, c Category, m message) {
				from.WriteTo(appendMessage(nil, c, m), p.sender.LocalAddr())
			}
			conn := m.conn.(*lossy.Conn)
			post(conn, CategoryReport, &status{session: session, id: v.peers[0].id, number: 1 << 31, cum: 50})                                  // not asked yet
			post(conn, CategoryReport, &status{session: session, id: v.peers[0].id, number: 1, cum: 1 << 31})                                   // not sent yet
			post(conn, CategoryReport, &status{session: session, id: v.peers[0].id, number: 1, cum: 20, held: bytes.Repeat([]byte{255}, 1000)}) // only of later ones no notice is taken
			post(conn, CategoryReport, &status{session: session, id: v.peers[0].id, number: 1, cum: 20, progress: kept})                        // not at its end yet
			post(conn, CategoryReport, &status{session: session + 1, number: 1, cum: 100, progress: kept})
			post(conn, CategoryAbort, &abort{session: session + 1, reason: ReasonRefused})
			post(conn, CategoryHello, &hello{session: session, version: 1, mss: 1})
			post(conn, CategoryPoll, &poll{session: session})
			post(conn, CategoryFin, &fin{session: session})
			post(stranger, CategoryReport, &status{session: session, number: 1, cum: 100, progress: kept})
			post(stranger, CategoryAbort, &abort{session: session, reason: ReasonRefused})
		}}}
		p.receive(Receiver{})
		data := noise(1, 100*100)
		var err error
		v, err = s.newSending(p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
		if err != nil {
			t.Fatal(err)
		}
		session = v.session
		report, err := v.send(t.Context(), p.sender)
		p.stop()
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		if report.Unsolicited != 2 || report.Unexpected != 8 || bad[ErrSession] != 2 || bad[ErrSequence] != 3 || bad[ErrCategory] != 3 {
			t.Errorf("%d foreign, %d bad: %v", report.Unsolicited, report.Unexpected, bad)
		}
	})
}

// A receiver can have the file only if it holds all chunks and was told that they are all.
func TestEndIsPlausible(t *testing.T) {
	v, err := (&Sender{MSS: 100}).newSending([]netip.AddrPort{firstReceiver}, ferry.Source{R: bytes.NewReader(make([]byte, 1000)), Size: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		firstFin, number, cum uint32
		want                  bool
	}{
		{0, 3, 10, false},
		{3, 2, 10, false},
		{3, 3, 9, false},
		{3, 3, 10, true},
		{3, 0, 10, true}, // the answer to a late HELLO
		{3, 4, 10, true},
	} {
		if got := v.ended(&flight{firstFin: tt.firstFin}, &status{number: tt.number, cum: tt.cum}); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
