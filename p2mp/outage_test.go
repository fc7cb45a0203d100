package p2mp

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// flight against hostile but plausible statuses: counters stay consistent.
func TestFlightHostile(t *testing.T) {
	for seed := range uint64(3000 / thorough) {
		r := rand.New(rand.NewPCG(seed, 9))
		now := time.Unix(1000, 0)
		var f flight
		total := uint32(1 + r.IntN(200))
		f.begin(now, uint32(r.IntN(3))%total, 1+r.IntN(60), 1+r.IntN(100), time.Duration(r.IntN(2))*time.Millisecond)
		for range 400 {
			a, seq, wake := f.act(now, total, true)
			switch a {
			case newChunk, oldChunk:
				if seq <= f.cum || seq > total || (a == newChunk) != (seq == f.next) {
					t.Fatal(seed, "sends", seq, "cum", f.cum, "next", f.next)
				}
				f.sent(now, seq)
			case askPoll:
				f.asked(now)
			default:
				if wake.IsZero() {
					t.Fatal(seed, "no wake")
				}
				if r.IntN(2) == 0 {
					now = wake
				}
			}
			if r.IntN(6) == 0 {
				s := status{number: uint32(r.IntN(int(f.lastPoll) + 1)), cum: uint32(r.IntN(int(f.next))), progress: progress(r.IntN(2))}
				s.held = make([]byte, r.IntN(8))
				for i := range s.held {
					s.held[i] = byte(r.Uint32() & r.Uint32())
				}
				if f.plausible(&s) {
					now = now.Add(time.Duration(r.IntN(1000)) * time.Microsecond)
					f.answer(now, &s)
				}
			}
			flyingN, missingN := 0, 0
			for seq := f.cum + 1; seq < f.next; seq++ {
				switch f.slot(seq).state {
				case flying:
					flyingN++
				case missing:
					missingN++
				}
			}
			if flyingN != f.underWay || missingN != f.missing {
				t.Fatal(seed, "flying", flyingN, f.underWay, "missing", missingN, f.missing)
			}
		}
	}
}

// different windows, policies, resume-free
func TestRandomWindows(t *testing.T) {
	for seed := uint64(1); seed <= 400/thorough && !t.Failed(); seed++ {
		r := rand.New(rand.NewPCG(seed, 77))
		mss := []int{1, 7, 100, 1400}[r.IntN(4)]
		size := r.IntN(200 * mss)
		data := noise(seed, size)
		src := Source{R: bytes.NewReader(data), Size: int64(size)}
		switch r.IntN(3) {
		case 1:
			src.R = bytes.NewBuffer(bytes.Clone(data))
		case 2:
			src.R, src.Size = bytes.NewBuffer(bytes.Clone(data)), -1
		}
		n := 1 + r.IntN(4)
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, n, lossy.Seed(seed), lossy.Loss(0.3*r.Float64()), lossy.Duplicate(0.1), lossy.Jitter(time.Millisecond, time.Duration(1+r.IntN(50))*time.Millisecond))
			for i, m := range p.receivers {
				if i%3 == 2 {
					m.forgetExtended()
				}
				rc := Receiver{Window: 1 + r.IntN(40), Linger: time.Minute, GiveUp: time.Hour}
				m.start(func(ctx context.Context) error {
					var err error
					m.report, err = rc.Receive(ctx, m.conn, &m.got)
					return err
				})
			}
			_, err, hung := p.sendFor(t, time.Hour, p.sender, Sender{MSS: mss, Window: 1 + r.IntN(40), JoinTimeout: time.Minute, GiveUp: 10 * time.Minute}, src)
			p.stop()
			if err != nil {
				t.Errorf("seed %d: hung %v %v", seed, hung, err)
			}
			p.check(data)
		})
	}
}

// One sender saturates the receiver; another's file is confirmed all the same.
func TestConfirmedUnderLoad(t *testing.T) {
	// a conn that always has 32 packets
	v := (&Receiver{}).newServing(&shelf{t: t})
	_ = v
}

// low rates: receivers are not left without a word
func TestLowRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 4, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 14000)
		report, err := p.send(Sender{Rate: 1000}, data)
		t.Log(report.Elapsed)
		if err != nil {
			t.Error(err)
		}
	})
}

// late HELLO after restart, verbose
func TestRestartLateHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		m := p.receivers[0]
		var hello []byte
		conn := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
			if hello == nil {
				hello = bytes.Clone(b)
			}
			return p.sender.WriteTo(b, to)
		}}
		s := &shelf{t: t}
		ctx, kill := context.WithCancel(context.Background())
		dead := false
		silent := plainConn{m.conn, func(b []byte, to net.Addr) (int, error) {
			if dead {
				return len(b), nil
			}
			return m.conn.WriteTo(b, to)
		}}
		again := plainConn{m.conn, m.conn.WriteTo}
		m.start(func(last context.Context) error {
			first := &Receiver{Trace: &Trace{Received: func(_ netip.AddrPort, seq uint32, _ int, _ bool) {
				if seq > 50 && !dead {
					dead = true
					kill()
				}
			}}}
			first.Serve(ctx, silent, s)
			// The socket of the new process is empty, but for a late HELLO.
			for {
				m.conn.SetReadDeadline(time.Now().Add(time.Microsecond))
				if _, _, err := m.conn.ReadFrom(make([]byte, 2000)); err != nil {
					break
				}
			}
			q, _ := ParsePacket(hello)
			h, _ := parseHello(q.Payload)
			v := (&Receiver{}).newServing(s)
			v.greeted(time.Now(), addrOf(p.sender), &h, len(hello))
			v.out, v.bytes = nil, nil
			return v.serve(last, again)
		})
		data := noise(1, 100000)
		r, err, hung := p.sendFor(t, 10*time.Minute, conn, Sender{MSS: 100, Window: 200}, Source{R: bytes.NewReader(data), Size: int64(len(data))})
		if hung {
			t.Errorf("Send still ran after ten minutes: %v; %+v", err, r.Peers)
		}
		t.Log(err, dead)
		p.stop()
	})
}

var (
	_ = fmt.Sprint
	_ = fs.ErrExist
)
