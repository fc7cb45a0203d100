// Package calendar is the event list of a discrete simulation: a calendar queue (R. Brown,
// Communications of the ACM 31(10), 1988) for millions of events in virtual time.
//
// Events of the same instant come in the order of their receiver, their sender and then the
// order in which they were pushed, so a simulation does not depend on how it pushes events of different
// flows.
package calendar

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// The calendar covers days*day ahead of the current day; later events wait in a heap.
const (
	day  = int64(time.Millisecond)
	days = 1 << 16
)

// An Event is something that happens to a node at a time.
type Event[T any] struct {
	At       time.Duration // since the simulation began
	To, From uint32
	Value    T

	number uint64
}

func (e *Event[T]) compare(f *Event[T]) int {
	switch {
	case e.At != f.At:
		return cmp.Compare(e.At, f.At)
	case e.To != f.To:
		return cmp.Compare(e.To, f.To)
	case e.From != f.From:
		return cmp.Compare(e.From, f.From)
	}
	return cmp.Compare(e.number, f.number)
}

// A Queue holds events that are still to come. The zero value is empty. It is not safe for concurrent
// use.
type Queue[T any] struct {
	today  int64        // the day of the event that was popped last
	sorted []Event[T]   // today's events, in order
	next   int          // the index in sorted of the event to pop next
	ahead  [][]Event[T] // the days after today, each unordered; day d is at d % days
	free   [][]Event[T] // the slices of days that are over
	beyond later[T]     // what is days or more ahead
	length int
	pushed uint64
}

// Len is the number of events that the queue holds.
func (q *Queue[T]) Len() int { return q.length }

// Push adds an event. An event before the one that was popped last is popped next.
func (q *Queue[T]) Push(at time.Duration, to, from uint32, v T) {
	if q.ahead == nil {
		q.ahead = make([][]Event[T], days)
	}
	e := Event[T]{At: at, To: to, From: from, Value: v, number: q.pushed}
	q.pushed++
	q.length++
	switch d := int64(at) / day; {
	case d <= q.today:
		i, _ := slices.BinarySearchFunc(q.sorted[q.next:], e, func(a, b Event[T]) int { return a.compare(&b) })
		q.sorted = slices.Insert(q.sorted, q.next+i, e)
	case d-q.today < days:
		q.schedule(d, e)
	default:
		heap.Push(&q.beyond, e)
	}
}

// Pop removes the earliest event and returns it; ok is false if there is none.
func (q *Queue[T]) Pop() (e Event[T], ok bool) {
	if q.length == 0 {
		return e, false
	}
	for q.next == len(q.sorted) {
		q.nextDay()
	}
	e = q.sorted[q.next]
	q.next++
	q.length--
	return e, true
}

// schedule adds e to day d.
func (q *Queue[T]) schedule(d int64, e Event[T]) {
	list := q.ahead[d%days]
	if last := len(q.free) - 1; list == nil && last >= 0 {
		list, q.free = q.free[last], q.free[:last]
	}
	q.ahead[d%days] = append(list, e)
}

// nextDay makes the next day today.
func (q *Queue[T]) nextDay() {
	if q.sorted != nil {
		q.free = append(q.free, q.sorted[:0])
	}
	if q.length == len(q.beyond) {
		q.today = int64(q.beyond[0].At)/day - 1
	}
	q.today++
	for len(q.beyond) > 0 && int64(q.beyond[0].At)/day-q.today < days {
		e := heap.Pop(&q.beyond).(Event[T])
		q.schedule(int64(e.At)/day, e)
	}
	q.sorted, q.next = q.ahead[q.today%days], 0
	q.ahead[q.today%days] = nil
	slices.SortFunc(q.sorted, func(a, b Event[T]) int { return a.compare(&b) })
}

// later is a heap of the events that the calendar has no day for.
type later[T any] []Event[T]

func (l later[T]) Len() int           { return len(l) }
func (l later[T]) Less(i, j int) bool { return l[i].compare(&l[j]) < 0 }
func (l later[T]) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *later[T]) Push(x any)        { *l = append(*l, x.(Event[T])) }
func (l *later[T]) Pop() any {
	last := len(*l) - 1
	e := (*l)[last]
	*l = (*l)[:last]
	return e
}
