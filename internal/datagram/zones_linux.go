package datagram

import (
	"net"
	"strconv"
)

// maxZones bounds the number of interfaces that are remembered.
const maxZones = 64

// zones caches the names and indexes of interfaces, which are the zones of link-local
// addresses and take several system calls to look up. The zero value is ready to use. Where
// there is no such interface, the index in decimal is the name, as in the net package.
type zones struct {
	names   map[uint32]string
	indexes map[string]uint32
}

// name returns the name of the interface with an index.
func (z *zones) name(index uint32) string {
	if name, ok := z.names[index]; ok {
		return name
	}
	name := strconv.FormatUint(uint64(index), 10)
	if ifi, err := net.InterfaceByIndex(int(index)); err == nil {
		name = ifi.Name
	}
	if z.names == nil || len(z.names) >= maxZones {
		z.names = make(map[uint32]string)
	}
	z.names[index] = name
	return name
}

// index returns the index of the interface with a name, 0 if there is none.
func (z *zones) index(name string) uint32 {
	if index, ok := z.indexes[name]; ok {
		return index
	}
	n, _ := strconv.ParseUint(name, 10, 32)
	index := uint32(n)
	if ifi, err := net.InterfaceByName(name); err == nil {
		index = uint32(ifi.Index)
	}
	if z.indexes == nil || len(z.indexes) >= maxZones {
		z.indexes = make(map[string]uint32)
	}
	z.indexes[name] = index
	return index
}

// forget forgets the indexes.
func (z *zones) forget() { clear(z.indexes) }
