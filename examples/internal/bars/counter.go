package bars

import (
	"os"

	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// A Counter is one progress bar.
type Counter struct {
	all *mpb.Progress
	bar *mpb.Bar
}

// NewCounter shows a bar on f for something of size bytes.
func NewCounter(f *os.File, name string, size int64) *Counter {
	c := &Counter{all: mpb.New(mpb.WithOutput(f), mpb.WithWidth(48))}
	c.bar = c.all.AddBar(size,
		mpb.PrependDecorators(decor.Name(printable.Text(name), decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f"), decor.Percentage(decor.WC{W: 5})))
	return c
}

// Set moves the bar to a number of bytes.
func (c *Counter) Set(bytes int64) { c.bar.SetCurrent(bytes) }

// Wait draws the bar for the last time; if it is not full it stays where it is.
func (c *Counter) Wait() {
	if !c.bar.Completed() {
		c.bar.Abort(false)
	}
	c.all.Wait()
}
