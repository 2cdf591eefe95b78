"""What a limiter would have done: real limiters, replayed demand, time that is made up."""
