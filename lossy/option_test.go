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
		"Loss: probability -0.1":                                func() { Loss(-0.1) },
		"Loss: probability 1.5":                                 func() { Loss(1.5) },
		"Loss: probability NaN":                                 func() { Loss(nan) },
		"Duplicate: probability +Inf":                           func() { Duplicate(math.Inf(1)) },
		"Delay: delay -1ns is negative":                         func() { Delay(-1) },
		"NormalDelay: mean -1ns":                                func() { NormalDelay(-1, 0) },
		"NormalDelay: standard deviation -1ns":                  func() { NormalDelay(0, -1) },
		"Jitter: least delay -1ns":                              func() { Jitter(-1, 1) },
		"Jitter: most 1ns is below least 2ns":                   func() { Jitter(2, 1) },
		"Rate: 0 bits":                                          func() { Rate(0, 1) },
		"Rate: -5 bits":                                         func() { Rate(-5, 1) },
		"Rate: NaN bits":                                        func() { Rate(nan, 1) },
		"Rate: +Inf bits":                                       func() { Rate(math.Inf(1), 1) },
		"Rate: a queue of -1 packets":                           func() { Rate(1, -1) },
		"Crowding: window -1ns":                                 func() { Crowding(-1, 0, 0) },
		"Crowding: probability 2":                               func() { Crowding(time.Second, 2, 0) },
		"Crowding: probability NaN":                             func() { Crowding(time.Second, 0, nan) },
		"Crowding: there is no Reading 9":                       func() { Crowding(time.Second, 0, 0, 9) },
		"DropNth: packets are numbered from 1":                  func() { DropNth(1, 0) },
		"DropIf: the predicate is nil":                          func() { DropIf(nil) },
		"DropEvery: every 0-th packet":                          func() { DropEvery(0) },
		"Correlated: probability 1.5":                           func() { Correlated(1.5, Loss(0.1)) },
		"Correlated: probability NaN":                           func() { Correlated(nan, Loss(0.1)) },
		"Correlated: a Model is nil":                            func() { Correlated(0.5, nil) },
		"Correlated: nothing in the Model":                      func() { Correlated(0.5, Delay(1)) },
		"GilbertElliott: probability 1.1":                       func() { GilbertElliott(1.1, 0, 0, 0) },
		"GilbertElliott: probability -1":                        func() { GilbertElliott(0, -1, 0, 0) },
		"GilbertElliott: probability NaN":                       func() { GilbertElliott(0, 0, nan, 0) },
		"GilbertElliott: probability 2":                         func() { GilbertElliott(0, 0, 0, 2) },
		"FourState: probability 1.1":                            func() { FourState(0, 0, 0, 0, 1.1) },
		"FourState: probabilities from one state add up to 1.1": func() { FourState(0.6, 0, 0, 0, 0.5) },
		"FourState: probabilities from one state add up to 1.2": func() { FourState(0, 0.7, 0.5, 0, 0) },
		"ParetoDelay: mean -1ns":                                func() { ParetoDelay(-1, 0) },
		"ParetoDelay: jitter -1ns":                              func() { ParetoDelay(0, -1) },
		"ParetoNormalDelay: mean -1ns":                          func() { ParetoNormalDelay(-1, 0) },
		"ParetoNormalDelay: jitter -1ns":                        func() { ParetoNormalDelay(0, -1) },
		"TableDelay: the table is empty":                        func() { TableDelay(nil) },
		"TableDelay: delay -2ns is negative":                    func() { TableDelay([]time.Duration{1, -2}) },
		"Corrupt: probability 7":                                func() { Corrupt(7) },
		"BitErrors: probability NaN":                            func() { BitErrors(nan) },
		"Reorder: probability 7":                                func() { Reorder(7, 1, Delay(1)) },
		"Reorder: a gap of 0 packets":                           func() { Reorder(0.5, 0, Delay(1)) },
		"Reorder: there is no Model":                            func() { Reorder(0.5, 1) },
		"Reorder: a Model is nil":                               func() { Reorder(0.5, 1, nil) },
		"Limit: 0 packets":                                      func() { Limit(0) },
		"MTU: 67 bytes":                                         func() { MTU(67) },
		"RateWith: 0 bits":                                      func() { RateWith(RateConfig{}) },
		"RateWith: NaN bits":                                    func() { RateWith(RateConfig{BitsPerSecond: nan}) },
		"RateWith: cells of -1 and 0":                           func() { RateWith(RateConfig{BitsPerSecond: 1, Cell: -1}) },
		"RateWith: cells of 5 and -6":                           func() { RateWith(RateConfig{BitsPerSecond: 1, Cell: 5, CellOverhead: -6}) },
		"RateWith: a queue of -1 bytes":                         func() { RateWith(RateConfig{BitsPerSecond: 1, Bytes: -1}) },
		"Schedule: there is no Phase":                           func() { Schedule() },
		"Schedule: phase -1ns is negative":                      func() { Schedule(Phase{For: -1}) },
		"Schedule: phase 1 is for ever":                         func() { Schedule(Phase{}, Phase{For: 1}) },
		"Schedule: a Model is nil":                              func() { Schedule(Phase{Models: []Model{nil}}) },
		"Slots: least interval -1ns":                            func() { Slots(-1, 1, 0, 0) },
		"Slots: most 1ns is 0 or below least 2ns":               func() { Slots(2, 1, 0, 0) },
		"Slots: most 0s is 0":                                   func() { Slots(0, 0, 0, 0) },
		"Slots: a bound of -1 packets":                          func() { Slots(0, 1, -1, 0) },
		"Slots: a bound of 0 packets or -1":                     func() { Slots(0, 1, 0, -1) },
		"SetModels: a Model is nil":                             func() { NewNetwork().SetModels(nil) },
		"SetLink: a Model is nil":                               func() { NewNetwork().SetLink(netip.Addr{}, netip.Addr{}, nil) },
		"Compose: a Model is nil":                               func() { Compose(Loss(0), nil) },
		"Shared: a Model is nil":                                func() { Shared(nil) },
		"Egress: a Model is nil":                                func() { Egress(nil) },
		"Ingress: a Model is nil":                               func() { Ingress(nil) },
		"Both: a Model is nil":                                  func() { Both(nil) },
		"WithTrace: the Trace is nil":                           func() { WithTrace(nil) },
		"LogTrace: the Logger is nil":                           func() { LogTrace(nil) },
		"Wrap: an Option is nil":                                func() { Wrap(&net.UDPConn{}, nil) },
		"Wrap: the net.PacketConn is nil":                       func() { Wrap(nil, Loss(0)) },
		"NewNetwork: an Option is nil":                          func() { NewNetwork(Loss(0), nil) },
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

// TestGoodParameters has the extremes of the allowed parameters.
func TestGoodParameters(t *testing.T) {
	NewNetwork(
		Loss(0), Loss(1), Duplicate(0), Duplicate(1), Delay(0), Delay(math.MaxInt64),
		NormalDelay(0, 0), Jitter(0, 0), Jitter(0, math.MaxInt64), Rate(1, 0), Rate(math.MaxFloat64, math.MaxInt),
		Crowding(0, 0, 0), Crowding(math.MaxInt64, 1, 1, CountDeliveries, CountBothWays), DropNth(),
		Assignment(CountDeliveries), Compose(), Shared(Compose()), Egress(), Ingress(), Both(), Seed(0),
		Correlated(0, Loss(0)), Correlated(1, Jitter(0, 0)), GilbertElliott(0, 0, 0, 0), GilbertElliott(1, 1, 1, 1),
		FourState(0.9, 0.7, 0.3, 1, 0.1), ParetoDelay(0, 0), ParetoNormalDelay(math.MaxInt64, math.MaxInt64),
		TableDelay([]time.Duration{0}), Corrupt(1), BitErrors(1), Reorder(0, 1, Delay(0)), InOrder(), Limit(1), MTU(68),
		RateWith(RateConfig{BitsPerSecond: 1, Overhead: -1, Cell: 5, CellOverhead: -5}), DropEvery(1),
		Schedule(Phase{}), Schedule(Phase{For: math.MaxInt64}, Phase{For: math.MaxInt64}), Slots(0, 1, 0, 0),
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
