package relay

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// mostEarly bounds what is read from one side before there is the other. Of a client
	// that has said as much nobody can tell whether it goes.
	mostEarly = 4 << 10
	// endedTime is how long the upstream host is tried for a client that has closed its
	// sending direction: one that has gone looks the same.
	endedTime = 30 * time.Second
)

// reach connects to the upstream host for a client, unless the client goes before it is
// reached. early is what it has said by then.
func (w *forwarding) reach(ctx context.Context, c net.Conn) (up net.Conn, early []byte, err error) {
	from := addrPort(c.RemoteAddr())
	if up, err = w.try(ctx, from); err == nil || w.Retry <= 0 {
		return up, nil, err
	}
	ctx, giveUp := context.WithCancel(ctx)
	var ear sync.WaitGroup
	ear.Go(func() {
		var gone bool
		if early, gone = hear(ctx, c); gone {
			giveUp()
		}
	})
	sleep(ctx, w.Retry)
	up, err = w.dial(ctx, from)
	giveUp()
	_ = c.SetReadDeadline(past)
	ear.Wait()
	_ = c.SetReadDeadline(time.Time{})
	return up, early, err
}

// hear returns what a client says until its read deadline passes, or as much as may be,
// or until it has gone.
func hear(ctx context.Context, c net.Conn) (early []byte, gone bool) {
	buf := make([]byte, mostEarly)
	for len(early) < len(buf) {
		n, err := c.Read(buf[len(early):])
		early = buf[:len(early)+n]
		switch {
		case err == io.EOF:
			sleep(ctx, endedTime)
			return early, true
		case err != nil:
			return early, !timedOut(err)
		}
	}
	return early, false
}
