// Package override keeps what operators have said of backends: a state or a weight that stands before the
// configuration's. An override is undone by who made it, by its time to live, or a day after its backend has left;
// nothing else does, and it undoes nothing else: what probes and requests say of the backend stays their own.
//
// A Book survives the process in one file. Times are the wall clock's, so that they pass while no edge runs, too.
// Nothing runs by itself: Tend does what is due, and tells when there will be more.
package override
