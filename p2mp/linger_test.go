package p2mp

import (
	"testing"
	"testing/synctest"
	"time"
)

// Lingering ends, though the other side never hears an answer.
func TestLingerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.receive(Receiver{})
		start := time.Now()
		p.write(chunk(1, ""))
		for time.Since(start) < time.Minute {
			p.write(chunk(1, ""))
			pause(time.Second)
		}
		select {
		case <-p.receivers[0].done:
		default:
			t.Error("it lingers still")
		}
		p.stop()
	})
}

// Late copies of all chunks do not end the linger time, when there is no room for
// another transfer.
func TestLingerIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.serve(Receiver{Transfers: 1}, &shelf{t: t})
		for _, c := range []Packet{chunk(1, "ab"), chunk(2, "cd"), chunk(3, ""), chunk(1, "ab"), chunk(2, "cd")} {
			p.write(c)
			pause(time.Millisecond)
		}
		for range 4 { // ACKs 1, 2, 3 and 1
			p.read()
		}
		p.sender.SetReadDeadline(time.Now().Add(time.Millisecond))
		p.sender.ReadFrom(make([]byte, 10)) // that of chunk 2, if there was one
		p.write(chunk(3, ""))
		if got := p.read(); got != "ACK 3" {
			t.Errorf("the last chunk again drew %s", got)
		}
		p.stop()
	})
}
