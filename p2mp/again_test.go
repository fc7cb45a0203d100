package p2mp

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestNoMixture: a classic sender that begins again from its port, in mid-file, with a
// file that is alike in places, ends with an error or with its file delivered, not with
// a mixture.
func TestNoMixture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		p.serve(Receiver{}, s)
		x := bytes.Repeat([]byte{0}, 1000) // a sparse file
		y := bytes.Clone(x)
		y[250], y[950] = 1, 1
		ctx, cancel := context.WithCancel(t.Context())
		first := Sender{MSS: 100, Classic: true, Trace: &Trace{Acked: func(e PacketEvent) {
			if e.Seq == 5 {
				cancel()
			}
		}}}
		if _, err := first.Send(ctx, p.sender, p.to, ferry.Source{R: bytes.NewReader(x), Size: 1000}); err == nil {
			t.Fatal("not canceled")
		}
		err := p.sendFrom(p.sender, y)
		pause(2 * DefaultReceiverGiveUp)
		p.stop()
		for _, i := range s.items {
			if i.ended == "committed" && !bytes.Equal(i.Bytes(), y) {
				t.Error("a mixture of two files was committed")
			}
		}
		if last := s.items[len(s.items)-1]; err == nil && last.ended != "committed" {
			t.Error("the sender believes in a file that is not there")
		}
	})
}

// TestLateFirstChunk: a copy of an earlier transfer's chunk 1 that comes in the middle
// of the next one disturbs nothing.
func TestLateFirstChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		p.serve(Receiver{}, s)
		for _, c := range []Packet{chunk(1, "ab"), chunk(2, "c"), chunk(1, "vw"), chunk(1, "ab"), chunk(2, "xy"), chunk(1, "ab"), chunk(3, "z"), chunk(1, "ab")} {
			p.write(c)
			pause(time.Millisecond)
		}
		p.stop()
		if len(s.items) != 2 || s.items[0].String() != "abc" || s.items[1].String() != "vwxyz" || s.items[1].ended != "committed" {
			t.Errorf("%d transfers: %v", len(s.items), s.items)
		}
	})
}

// TestStaleAcknowledgement: one that waits in the conn since an earlier transfer is not
// taken for this one's.
func TestStaleAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		ack, _ := Packet{Seq: 1, Category: CategoryAck}.MarshalBinary()
		p.receivers[0].conn.WriteTo(ack, p.sender.LocalAddr())
		pause(time.Millisecond)
		if err := p.sendFrom(p.sender, nil); !errors.Is(err, ferry.ErrNoAnswer) {
			t.Errorf("Send with nobody there: %v", err)
		}
		p.stop()
	})
}
