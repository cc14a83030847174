// Package discover finds the backends of pools that the configuration does not name: a Source is asked who they
// are (File, Addresses and Services by DNS, Docker), a Watcher asks it again and again and keeps the last good
// answer. Everything that a source says is hostile: bounded, checked, and never a reason to stop.
//
// Members keep their ids, whatever order they come in: a file's are its own; an address has its host:port; a
// DNS service has its target:port, with the address behind it if the target has several; a container has its
// name. So counters, health and pins of a member outlast those that join and leave.
package discover
