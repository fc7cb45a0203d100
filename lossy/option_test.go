package lossy

import (
	"log/slog"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestBadParameters checks that nonsense panics, and that the panic names
// what the caller wrote.
func TestBadParameters(t *testing.T) {
	nan := math.NaN()
	for name, f := range map[string]func(){
		"Loss: probability -0.1":               func() { Loss(-0.1) },
		"Loss: probability 1.5":                func() { Loss(1.5) },
		"Loss: probability NaN":                func() { Loss(nan) },
		"Duplicate: probability +Inf":          func() { Duplicate(math.Inf(1)) },
		"Delay: delay -1ns is negative":        func() { Delay(-1) },
		"NormalDelay: mean -1ns":               func() { NormalDelay(-1, 0) },
		"NormalDelay: standard deviation -1ns": func() { NormalDelay(0, -1) },
		"Jitter: least delay -1ns":             func() { Jitter(-1, 1) },
		"Jitter: most 1ns is below least 2ns":  func() { Jitter(2, 1) },
		"Rate: 0 bits":                         func() { Rate(0, 1) },
		"Rate: -5 bits":                        func() { Rate(-5, 1) },
		"Rate: NaN bits":                       func() { Rate(nan, 1) },
		"Rate: +Inf bits":                      func() { Rate(math.Inf(1), 1) },
		"Rate: a queue of -1 packets":          func() { Rate(1, -1) },
		"Crowding: window -1ns":                func() { Crowding(-1, 0, 0) },
		"Crowding: probability 2":              func() { Crowding(time.Second, 2, 0) },
		"Crowding: probability NaN":            func() { Crowding(time.Second, 0, nan) },
		"Crowding: there is no Reading 9":      func() { Crowding(time.Second, 0, 0, 9) },
		"DropNth: packets are numbered from 1": func() { DropNth(1, 0) },
		"DropIf: the predicate is nil":         func() { DropIf(nil) },
		"Compose: a Model is nil":              func() { Compose(Loss(0), nil) },
		"Shared: a Model is nil":               func() { Shared(nil) },
		"Egress: a Model is nil":               func() { Egress(nil) },
		"Ingress: a Model is nil":              func() { Ingress(nil) },
		"Both: a Model is nil":                 func() { Both(nil) },
		"WithTrace: the Trace is nil":          func() { WithTrace(nil) },
		"LogTrace: the Logger is nil":          func() { LogTrace(nil) },
		"Wrap: an Option is nil":               func() { Wrap(&net.UDPConn{}, nil) },
		"Wrap: the net.PacketConn is nil":      func() { Wrap(nil, Loss(0)) },
		"NewNetwork: an Option is nil":         func() { NewNetwork(Loss(0), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				text, _ := recover().(string)
				if !strings.HasPrefix(text, "lossy: "+name) {
					t.Errorf("the panic says %q, want %q", text, "lossy: "+name)
				}
			}()
			f()
		})
	}
}

// TestGoodParameters has the ends of what is allowed.
func TestGoodParameters(t *testing.T) {
	NewNetwork(
		Loss(0), Loss(1), Duplicate(0), Duplicate(1), Delay(0), Delay(math.MaxInt64),
		NormalDelay(0, 0), Jitter(0, 0), Jitter(0, math.MaxInt64), Rate(1, 0), Rate(math.MaxFloat64, math.MaxInt),
		Crowding(0, 0, 0), Crowding(math.MaxInt64, 1, 1, CountDeliveries, CountBothWays), DropNth(),
		Assignment(CountDeliveries), Compose(), Shared(Compose()), Egress(), Ingress(), Both(), Seed(0),
		WithTrace(&Trace{}), WithTrace(LogTrace(slog.Default())),
	)
}

// TestNetworkDirections checks that in a Network, where a packet passes one
// chain, all three directions mean that one, and Both does not mean it twice.
func TestNetworkDirections(t *testing.T) {
	for name, o := range map[string]Option{
		"Model": Delay(1), "Egress": Egress(Delay(1)), "Ingress": Ingress(Delay(1)), "Both": Both(Delay(1)),
	} {
		if got := len(NewNetwork(o).chain.flows.parts); got != 1 {
			t.Errorf("%s: %d models on a link, want 1", name, got)
		}
	}
}

// TestWrapNothing checks that Wrap gets out of the way.
func TestWrapNothing(t *testing.T) {
	pc := must(NewNetwork().NewConn(netip.AddrPort{}))
	for name, options := range map[string][]Option{
		"no options": nil, "a seed": {Seed(1)}, "no models": {Egress(), Both(), Compose()}, "an empty trace": {WithTrace(&Trace{})},
	} {
		if got := Wrap(pc, options...); got != net.PacketConn(pc) {
			t.Errorf("Wrap with %s is a %T, want the conn itself", name, got)
		}
	}
	if egress, ingress := StatsOf(&net.UDPConn{}); egress != (Stats{}) || ingress != (Stats{}) {
		t.Errorf("StatsOf a conn that has none = %v, %v", egress, ingress)
	}
}

func must(c *Conn, err error) *Conn {
	if err != nil {
		panic(err)
	}
	return c
}
