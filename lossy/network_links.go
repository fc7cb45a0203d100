package lossy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// SetModels replaces the models of all links that have none of their own,
// those given to NewNetwork. It holds for packets sent from now on, at this very
// instant included; packets in flight are not affected.
func (n *Network) SetModels(models ...Model) {
	parts := flatten("SetModels", models)
	n.enter()
	defer n.leave()
	n.chain.flows.parts = parts
	n.changed()
}

// SetLink gives the link from one host to another its own models; without models the link
// is perfect. The way back is another link. The models start with new state, unless they
// are the same Models as before. Links that are given the same [Shared] Model share its
// state: a bottleneck on the path. It holds from now on, as with SetModels.
//
// It is an error if no conn is open at one of the addresses; the setting
// outlasts them.
func (n *Network) SetLink(from, to netip.Addr, models ...Model) error {
	parts := flatten("SetLink", models)
	return n.setLink("SetLink", from, to, func(h hop) { n.chain.flows.links[h] = parts })
}

// ResetLink undoes SetLink.
func (n *Network) ResetLink(from, to netip.Addr) error {
	return n.setLink("ResetLink", from, to, func(h hop) { delete(n.chain.flows.links, h) })
}

func (n *Network) setLink(name string, from, to netip.Addr, set func(hop)) error {
	h := hop{from.Unmap(), to.Unmap()}
	n.enter()
	defer n.leave()
	for _, host := range []netip.Addr{h.from, h.to} {
		if err := n.hosts.check(name, host); err != nil {
			return err
		}
	}
	set(h)
	n.changed()
	return nil
}

// check returns an error if no conn is open at a host.
func (h *hosts) check(name string, host netip.Addr) error {
	if h.count[host] == 0 {
		return fmt.Errorf("lossy: %s: no conn is open at %v", name, host)
	}
	return nil
}

// Partition splits the network: hosts of different groups no longer reach each
// other, in either direction. All hosts that are in no group form one more
// group, so that Partition with a single group cuts it off from the rest. Packets between groups are dropped and counted
// ([CauseCut]); packets in flight still arrive. A partition replaces the previous one, and
// [Network.Heal] ends it.
//
// It is an error, and changes nothing, if no conn is open at one of the
// addresses, or if one is in two groups.
func (n *Network) Partition(groups ...[]netip.Addr) error {
	n.enter()
	defer n.leave()
	side := make(map[netip.Addr]int)
	for i, g := range groups {
		for _, host := range g {
			host = host.Unmap()
			if err := n.hosts.check("Partition", host); err != nil {
				return err
			}
			if other := side[host]; other != 0 && other != i+1 {
				return fmt.Errorf("lossy: Partition: %v is in two groups", host)
			}
			side[host] = i + 1
		}
	}
	n.chain.cut = func(k flowKey) bool { return side[k.from.Addr()] != side[k.to.Addr()] }
	return nil
}

// Heal ends a partition.
func (n *Network) Heal() {
	n.enter()
	defer n.leave()
	n.chain.cut = nil
}

// LinkStats are the statistics of one flow: the packets sent from one conn to
// another.
type LinkStats struct {
	From, To netip.AddrPort
	Stats
}

// Links returns the statistics of every flow that has sent a packet, in
// the order of the addresses, including flows to addresses without a conn. (A flow that
// was forgotten, see Limits, starts again from zero.)
func (n *Network) Links() []LinkStats {
	n.enter()
	defer n.leave()
	flows := maps.Clone(n.chain.flows.old)
	if flows == nil {
		flows = make(map[flowKey]*flow)
	}
	maps.Copy(flows, n.chain.flows.young)
	var all []LinkStats
	for k, f := range flows {
		if f.stats != (Stats{}) {
			all = append(all, LinkStats{k.from, k.to, f.stats})
		}
	}
	slices.SortFunc(all, func(a, b LinkStats) int {
		if c := a.From.Compare(b.From); c != 0 {
			return c
		}
		return a.To.Compare(b.To)
	})
	return all
}
