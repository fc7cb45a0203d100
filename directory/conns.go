package directory

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/ferrygo/ferry/internal/tcpstate"
)

// A connLimit is a listener that bounds the connections that are served at once. If all
// places are taken, the connection that has been idle for the longest time makes room. If
// none is idle, a host that has more than a quarter of the places gives up its newest one
// to another host. Otherwise the next connection waits.
//
// The connections are those of the listener: a wrapped one could not use sendfile. The
// server tells which are idle and which have ended.
type connLimit struct {
	net.Listener
	max     int
	changed chan struct{} // something below has changed
	done    chan struct{}
	once    sync.Once

	mu     sync.Mutex
	conns  map[net.Conn]*connState
	number uint64         // of connections so far
	open   sync.WaitGroup // those that the server has not closed yet, evicted ones included
}

// connState is what is known of one connection.
type connState struct {
	host   netip.Addr // the invalid address if it has none
	number uint64
	idle   time.Time // since when it has been idle; zero: it is not
}

// newConnTime is how long a connection may take to send its first request before it counts
// as idle.
const newConnTime = time.Second

func limitConns(l net.Listener, max int) *connLimit {
	return &connLimit{
		Listener: l, max: max, changed: make(chan struct{}, 1), done: make(chan struct{}),
		conns: make(map[net.Conn]*connState),
	}
}

// Accept waits until there is a place, or until one can be made, and then for a
// connection.
func (l *connLimit) Accept() (net.Conn, error) {
	for {
		for {
			if l.mayAdmit(time.Now()) {
				break
			}
			if err := l.wait(); err != nil {
				return nil, err
			}
		}
		c, err := l.Listener.Accept()
		if err != nil {
			select {
			case <-l.done:
				err = net.ErrClosed
			default:
			}
			return nil, err
		}
		for {
			admitted, refused := l.admit(time.Now(), c)
			if admitted {
				tcpstate.Watch(c, func() { c.Close() })
				return c, nil
			}
			if refused {
				c.Close()
				break
			}
			if err := l.wait(); err != nil {
				c.Close()
				return nil, err
			}
		}
	}
}

// wait waits until something may have changed.
func (l *connLimit) wait() error {
	timer := time.NewTimer(newConnTime)
	defer timer.Stop()
	select {
	case <-l.changed:
	case <-timer.C:
	case <-l.done:
		return net.ErrClosed
	}
	return nil
}

func (l *connLimit) mayAdmit(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns) < l.max || l.victim(now) != nil
}

// admit gives a connection a place. It is refused if its own host has more than its share
// of the places.
func (l *connLimit) admit(now time.Time, c net.Conn) (admitted, refused bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	host := hostOf(c)
	if len(l.conns) >= l.max {
		victim := l.victim(now)
		if victim == nil {
			return false, false
		}
		if s := l.conns[victim]; s.idle.IsZero() && s.host == host {
			return false, true
		}
		delete(l.conns, victim)
		victim.Close()
	}
	l.number++
	l.conns[c] = &connState{host: host, number: l.number, idle: now.Add(newConnTime)}
	l.open.Add(1)
	return true, false
}

// victim returns the connection that makes room for another, or nil.
func (l *connLimit) victim(now time.Time) net.Conn {
	var idle, newest net.Conn
	hosts := make(map[netip.Addr]int)
	for c, s := range l.conns {
		if !s.idle.IsZero() && !s.idle.After(now) && (idle == nil || s.idle.Before(l.conns[idle].idle)) {
			idle = c
		}
		if s.host.IsValid() {
			hosts[s.host]++
		}
	}
	if idle != nil {
		return idle
	}
	share := max(l.max/4, 1)
	for c, s := range l.conns {
		if hosts[s.host] > share && (newest == nil || hosts[s.host] > hosts[l.conns[newest].host] ||
			s.host == l.conns[newest].host && s.number > l.conns[newest].number) {
			newest = c
		}
	}
	return newest
}

func hostOf(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}

// state is the server's ConnState hook.
func (l *connLimit) state(c net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.conns[c]
	switch state {
	case http.StateActive:
		if s != nil {
			s.idle = time.Time{}
		}
		return
	case http.StateIdle:
		if s != nil {
			s.idle = time.Now()
		}
	case http.StateClosed, http.StateHijacked:
		delete(l.conns, c)
		l.open.Done()
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Close ends Accept. The listener stays open if it has deadlines: it is the caller's.
func (l *connLimit) Close() error {
	l.once.Do(func() { close(l.done) })
	if d, ok := l.Listener.(deadliner); ok {
		return d.SetDeadline(time.Unix(1, 0))
	}
	return l.Listener.Close()
}

type deadliner interface{ SetDeadline(t time.Time) error }

// release makes the listener as it was.
func (l *connLimit) release() {
	if d, ok := l.Listener.(deadliner); ok {
		_ = d.SetDeadline(time.Time{})
	}
}

// drain waits until no connection is served any more. Accept must not be running.
func (l *connLimit) drain() { l.open.Wait() }
