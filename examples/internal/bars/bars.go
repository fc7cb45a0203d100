// Package bars shows the progress of a p2mp transfer, a bar for each receiver.
package bars

import (
	"net/netip"
	"os"

	"github.com/ferrygo/ferry/p2mp"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// OnTerminal reports whether f is a terminal, the place for progress bars.
func OnTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Bars are the progress bars of one transfer.
type Bars struct {
	all *mpb.Progress
	one map[netip.AddrPort]*mpb.Bar
}

// New shows a bar on f for each receiver of a file of size bytes.
func New(f *os.File, receivers []netip.AddrPort, size int64) *Bars {
	b := &Bars{
		all: mpb.New(mpb.WithOutput(f), mpb.WithWidth(48)),
		one: make(map[netip.AddrPort]*mpb.Bar),
	}
	for _, r := range receivers {
		b.one[r] = b.all.AddBar(size,
			mpb.PrependDecorators(decor.Name(r.String(), decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f"), decor.Percentage(decor.WC{W: 5})))
	}
	return b
}

// Trace returns the hooks that move the bars.
func (b *Bars) Trace() *p2mp.Trace {
	return &p2mp.Trace{
		Acked: func(e p2mp.PacketEvent) {
			if bar := b.one[e.Addr]; bar != nil {
				bar.SetCurrent(e.Total)
			}
		},
	}
}

// Wait draws the bars for the last time. Those of receivers that do not have the
// whole file stay where they are.
func (b *Bars) Wait() {
	for _, bar := range b.one {
		if !bar.Completed() {
			bar.Abort(false)
		}
	}
	b.all.Wait()
}
