package directory

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// view asks for the listing, and returns what the only other fragment says, without the
// token and the key.
func (x *dispatcherTest) view() string {
	x.t.Helper()
	out := x.gets(h2, "4 key  1 1")
	answer := x.gets(h2, ackFor(x.t, out[1]))
	x.gets(h2, ackFor(x.t, answer[0]))
	return strings.TrimSuffix(strings.TrimPrefix(answer[0], "8 "+token(out[1])+" key "), "  2 2")
}

// TestListingIsShared: two views in quick succession get the same listing, unless more than
// the times has changed.
func TestListingIsShared(t *testing.T) {
	x := newDispatcherTest(t, &Server{})
	x.gets(h3, "1 10.0.0.3 80 a  1 1")
	shown := func(after time.Duration, file string) string {
		return fmt.Sprintf("1 10.0.0.3 80 %d.%06d 1 %s", epoch.Unix(), after.Microseconds(), file)
	}
	check := func(when, want string) {
		t.Helper()
		if got := x.view(); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	check("at first", shown(0, "a"))
	x.now = x.now.Add(listingAge - 1)
	x.gets(h3, "1 10.0.0.3 80 a  1 1") // a keep-alive
	check("a moment later", shown(0, "a"))
	x.now = x.now.Add(1)
	check("as old as may be", shown(listingAge-1, "a"))
	x.gets(h3, "1 10.0.0.3 80 b  1 1")
	check("another file", shown(listingAge, "b"))
	x.gets(h3, "3 10.0.0.3 80  1 1")
	check("an exit", "0")
	x.now = x.now.Add(time.Millisecond)
	x.gets(h3, "1 10.0.0.3 80 a  1 1")
	check("back again", shown(listingAge+time.Millisecond, "a"))
	x.now = x.now.Add(DefaultExpiry)
	x.after(0, h2)
	check("expired", "0")
}

// TestListingsAreBounded: however many changes and views there are, few listings are
// made, and each change shows after a moment.
func TestListingsAreBounded(t *testing.T) {
	x := newDispatcherTest(t, &Server{})
	made := 0
	for i := range 10_000 {
		x.now = x.now.Add(100 * time.Microsecond)
		x.gets(h3, fmt.Sprintf("1 10.0.0.3 80 f%d  1 1", i))
		before := x.d.shown.made
		x.gets(h2, "4  1 1")
		x.d.close(x.d.sessions[netip.MustParseAddrPort(h2)])
		if x.d.shown.made != before {
			made++
		}
	}
	if most := listingBurst + int(time.Second/listingPause); made > most || made < most/2 {
		t.Errorf("%d listings in a second", made)
	}
	x.now = x.now.Add(listingPause)
	if got := x.view(); !strings.HasSuffix(got, " f9999") {
		t.Errorf("in the end %q", got)
	}
}
