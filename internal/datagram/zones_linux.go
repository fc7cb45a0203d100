package datagram

import (
	"net"
	"strconv"
)

// mostZones bounds the interfaces remembered.
const mostZones = 64

// zones remembers the names and numbers of interfaces, which the zones of link-local
// addresses are and which take a system call or three to find. The zero value is ready.
// Like the net package it takes a number for a name where there is no such interface.
type zones struct {
	names   map[uint32]string
	indexes map[string]uint32
}

// name is the name of the interface with that number.
func (z *zones) name(index uint32) string {
	if name, ok := z.names[index]; ok {
		return name
	}
	name := strconv.FormatUint(uint64(index), 10)
	if ifi, err := net.InterfaceByIndex(int(index)); err == nil {
		name = ifi.Name
	}
	if z.names == nil || len(z.names) >= mostZones {
		z.names = make(map[uint32]string)
	}
	z.names[index] = name
	return name
}

// index is the number of the interface with that name, 0 if there is none.
func (z *zones) index(name string) uint32 {
	if index, ok := z.indexes[name]; ok {
		return index
	}
	n, _ := strconv.ParseUint(name, 10, 32)
	index := uint32(n)
	if ifi, err := net.InterfaceByName(name); err == nil {
		index = uint32(ifi.Index)
	}
	if z.indexes == nil || len(z.indexes) >= mostZones {
		z.indexes = make(map[string]uint32)
	}
	z.indexes[name] = index
	return index
}

// forget forgets the numbers.
func (z *zones) forget() { clear(z.indexes) }
