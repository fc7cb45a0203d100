package lossy

// An Option configures [Wrap] or [NewNetwork]. Every [Model] is an Option.
type Option interface {
	apply(c *config)
}

// config collects the options of one Wrap or NewNetwork.
type config struct {
	egress, ingress []*part
	network         bool // a link has one chain: ingress is added to egress
	seed            uint64
	seeded          bool
	traces          []*Trace

	forSockets bool

	counted bool
}

type optionFunc func(c *config)

func (f optionFunc) apply(c *config) { f(c) }

func newConfig(name string, network bool, options []Option) *config {
	c := &config{network: network}
	for _, o := range options {
		if o == nil {
			panic("lossy: " + name + ": an Option is nil")
		}
		o.apply(c)
	}
	return c
}

// watch returns the function to call with every verdict, or nil.
func (c *config) watch() func(Event) {
	var watchers []func(Event)
	for _, t := range c.traces {
		if t.Judged != nil {
			watchers = append(watchers, t.Judged)
		}
	}
	switch len(watchers) {
	case 0:
		return nil
	case 1:
		return watchers[0]
	}
	return func(e Event) {
		for _, w := range watchers {
			w(e)
		}
	}
}

// Egress applies models to packets that are written, as does a Model given directly.
func Egress(models ...Model) Option {
	parts := flatten("Egress", models)
	return optionFunc(func(c *config) { c.egress = append(c.egress, parts...) })
}

// Ingress applies models to packets that are read: the conn has received a packet that
// they drop, and its reader never sees it. In a Network, where every packet
// passes one link, it is the same as [Egress].
func Ingress(models ...Model) Option {
	parts := flatten("Ingress", models)
	return optionFunc(func(c *config) {
		if c.network {
			c.egress = append(c.egress, parts...)
			return
		}
		c.ingress = append(c.ingress, parts...)
	})
}

// Both applies models to packets that are written and to packets that are read, with
// separate state for each direction. In a Network, whose links are judged for each direction anyway,
// it is the same as [Egress].
func Both(models ...Model) Option {
	parts := flatten("Both", models)
	return optionFunc(func(c *config) {
		c.egress = append(c.egress, parts...)
		c.ingress = append(c.ingress, parts...)
	})
}

// Seed fixes the random numbers. A Network with the same seed and the same
// traffic treats every packet alike in every run; without the option its seed
// is 0. A wrapped conn repeats its decisions for the same sequence of packets;
// without the option its seed is random. Give each wrapped conn another seed:
// two with the same one drop the same packets.
func Seed(seed uint64) Option {
	return optionFunc(func(c *config) { c.seed, c.seeded = seed, true })
}

// Count makes a wrapped conn without models count packets, for [StatsOf]. A Network
// always counts.
func Count() Option {
	return optionFunc(func(c *config) { c.counted = true })
}

// ForSockets makes a Network stand for one between real sockets, as package
// lossy/proxy needs it. Random numbers then depend on the order in which flows
// appear and not on addresses, because the ports of real sockets differ from run to
// run; and packets may go from one IP version to the other. It changes nothing for a
// wrapped conn.
func ForSockets() Option {
	return optionFunc(func(c *config) { c.forSockets = true })
}

// WithTrace reports every verdict to t, in addition to other Traces. A
// wrapped conn with a trace judges both directions, even where it has no
// models for them.
func WithTrace(t *Trace) Option {
	if t == nil {
		panic("lossy: WithTrace: the Trace is nil")
	}
	return optionFunc(func(c *config) { c.traces = append(c.traces, t) })
}
