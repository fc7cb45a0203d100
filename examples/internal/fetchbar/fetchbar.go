// Package fetchbar shows the progress of a fetch.
package fetchbar

import (
	"os"

	"github.com/ferrygo/ferry/directory/fetch"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// A Bar is the progress bar of one fetch. Its zero value shows nothing.
type Bar struct {
	all *mpb.Progress
	bar *mpb.Bar
}

// New returns a bar that is shown on f, if that is a terminal.
func New(f *os.File) *Bar {
	if !term.IsTerminal(int(f.Fd())) {
		return &Bar{}
	}
	return &Bar{all: mpb.New(mpb.WithOutput(f), mpb.WithWidth(48))}
}

// Trace returns the hooks that move the bar.
func (b *Bar) Trace() *fetch.Trace {
	if b.all == nil {
		return nil
	}
	return &fetch.Trace{
		Chosen: func(e fetch.Event) {
			if b.bar == nil {
				b.bar = b.all.AddBar(max(e.Size, 0), mpb.PrependDecorators(decor.Name(printable.Text(e.Name))),
					mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f"), decor.Percentage(decor.WC{W: 5})))
			}
			b.bar.SetCurrent(e.Have)
		},
		Progress: func(e fetch.Event) { b.bar.SetCurrent(e.Have) },
	}
}

// Wait draws the bar for the last time.
func (b *Bar) Wait() {
	if b.all == nil {
		return
	}
	if b.bar != nil && !b.bar.Completed() {
		b.bar.Abort(false)
	}
	b.all.Wait()
}
