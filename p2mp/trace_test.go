package p2mp

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// The lines of the P2MP-FTP report, "Client", point 6 and "Server", point 6.
func TestPrintTrace(t *testing.T) {
	var b bytes.Buffer
	trace := PrintTrace(&b)
	trace.Timeout(PacketEvent{Addr: netip.AddrPort{}, Seq: 3})
	lost, _ := Packet{Seq: 4, Category: CategoryData}.MarshalBinary()
	trace.Lost(netip.AddrPort{}, lost)
	ack, _ := Packet{Seq: 5, Category: CategoryAck}.MarshalBinary()
	trace.Lost(netip.AddrPort{}, ack)
	trace.Lost(netip.AddrPort{}, lost[:5])
	(*Trace)(nil).Lost(netip.AddrPort{}, lost)
	(&Trace{}).Lost(netip.AddrPort{}, lost)
	if got, want := b.String(), "Timeout, sequence number = 3\nPacket loss, sequence number = 4\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// LogTrace sets every hook, and its records name the address and the chunk.
func TestLogTrace(t *testing.T) {
	var b bytes.Buffer
	trace := LogTrace(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: LevelPacket})))
	for i := range reflect.ValueOf(trace).Elem().NumField() {
		if reflect.ValueOf(trace).Elem().Field(i).IsNil() {
			t.Errorf("%s is not set", reflect.TypeFor[Trace]().Field(i).Name)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond), dropData(netip.MustParseAddrPort("10.0.0.3:7735"), 1), lossy.DropNth(3))
		p.to = append(p.to, netip.MustParseAddrPort("10.0.0.3:7735"))
		m := p.receivers[0]
		m.start(func(ctx context.Context) error {
			_, err := (&Receiver{Trace: trace}).Receive(ctx, m.conn, &m.got)
			return err
		})
		if _, err := p.send(Sender{Classic: true, MSS: 100, Trace: trace}, noise(1, 350)); err == nil {
			t.Error("the absent receiver went unnoticed")
		}
	})
	for _, want := range []string{
		`msg=sent peer=10.0.0.2:7735 seq=1 length=100 again=false`,
		`msg=sent peer=10.0.0.2:7735 seq=3 length=100 again=true`,
		`msg=timeout peer=10.0.0.2:7735 seq=3`,
		`msg=acknowledged peer=10.0.0.2:7735 seq=4 total=350`,
		`msg="receiver dropped" peer=10.0.0.3:7735 err="10.0.0.3:7735: no answer in 5s"`,
		`msg="transfer began" peer=10.0.0.1:7735`,
		`msg=received peer=10.0.0.1:7735 seq=4 length=50 again=false`,
		`msg="transfer ended" peer=10.0.0.1:7735 bytes=350`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("not logged: %s", want)
		}
	}
}

// What a Trace was told stays as it was.
func TestFinishedReportIsACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		var told Report
		p.receive(Receiver{Trace: &Trace{Finished: func(e TransferEvent) { told = e.Report }}})
		for range 3 {
			p.write(chunk(1, ""))
			pause(time.Millisecond)
		}
		p.stop()
		if d := told.Peers[0].Duplicates; d != 0 {
			t.Errorf("the report that Finished got counts %d duplicates that came later", d)
		}
		if d := p.receivers[0].report.Peers[0].Duplicates; d != 2 {
			t.Errorf("%d duplicates in the final report, want 2", d)
		}
	})
}

// Trace.Lost knows a chunk of the extended mode.
func TestLostExtended(t *testing.T) {
	var b bytes.Buffer
	q, _ := Packet{Session: newSession(), Seq: 7, Category: CategoryData, Payload: []byte("abc")}.MarshalBinary()
	PrintTrace(&b).Lost(netip.AddrPort{}, q)
	if b.String() != "Packet loss, sequence number = 7\n" {
		t.Errorf("printed %q", b.String())
	}
}

// TestSmallBuffer: a buffer that does not grow is told of, and harms nothing else.
func TestSmallBuffer(t *testing.T) {
	var got []int
	trace := Trace{SmallBuffer: func(n, want int) { got = append(got, n, want) }}
	for _, n := range []int{0, socketBuffer - 1, socketBuffer} {
		trace.smallBuffer(n)
	}
	(&Trace{}).smallBuffer(1)
	if len(got) != 2 || got[0] != socketBuffer-1 || got[1] != socketBuffer {
		t.Errorf("told %d", got)
	}
}
