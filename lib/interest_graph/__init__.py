"""From raw behaviour logs in a data lake to recommendations in the same lake."""
