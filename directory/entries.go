package directory

// An entry says that a peer has a file. It is in two lists: the ring of its name, which
// is linked both ways so that it can be taken out anywhere, and the list of its peer,
// which is only taken apart from the head.
type entry struct {
	peer, name uint32
	next, prev uint32 // in the ring
	down       uint32 // the peer's next
}

// entryPage is how many entries are allocated at once. Pages never move, so growing
// leaves no garbage.
const entryPage = 4096

// entries holds all entries, by number. A number that was freed is used again.
type entries struct {
	pages [][]entry
	used  uint32 // numbers ever used
	free  uint32 // the head of the freed ones, linked by down, plus one; 0: none
	count int
}

func (s *entries) at(id uint32) *entry { return &s.pages[id/entryPage][id%entryPage] }

// insert puts e at the end of its name's ring and returns its number.
func (s *entries) insert(name *nameRecord, e entry) uint32 {
	id := s.used
	if s.free > 0 {
		id = s.free - 1
		s.free = s.at(id).down
	} else {
		if id%entryPage == 0 {
			s.pages = append(s.pages, make([]entry, entryPage))
		}
		s.used++
	}
	e.next, e.prev = id, id
	if name.count == 0 {
		name.head = id
	} else {
		e.next = name.head
		head := s.at(name.head)
		e.prev = head.prev
		s.at(head.prev).next = id
		head.prev = id
	}
	*s.at(id) = e
	name.count++
	s.count++
	return id
}

// remove takes an entry out of its name's ring and frees its number.
func (s *entries) remove(name *nameRecord, id uint32) {
	e := s.at(id)
	s.at(e.prev).next = e.next
	s.at(e.next).prev = e.prev
	if name.head == id {
		name.head = e.next
	}
	name.count--
	s.count--
	*e = entry{down: s.free}
	s.free = id + 1
}
