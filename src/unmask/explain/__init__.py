"""Where a detector looked: activation maps as pictures, and other ways to make one."""
