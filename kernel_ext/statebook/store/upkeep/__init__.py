"""What keeps a store small and takes parts of it elsewhere: reachability, vacuum, sizes, export."""
